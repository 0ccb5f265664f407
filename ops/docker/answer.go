package docker

import (
	"context"
	"net/http"
	"sync/atomic"
)

// answerKey finds in a request's context who wants to know how it was answered.
type answerKey struct{}

// watchAnswer makes a context whose requests tell when the engine accepted one:
// for calls of the client that return before they know.
func watchAnswer(ctx context.Context) (context.Context, *atomic.Bool) {
	accepted := new(atomic.Bool)
	return context.WithValue(ctx, answerKey{}, accepted), accepted
}

func noteAnswer(r *http.Response) {
	if accepted, ok := r.Request.Context().Value(answerKey{}).(*atomic.Bool); ok && r.StatusCode < http.StatusBadRequest {
		accepted.Store(true)
	}
}
