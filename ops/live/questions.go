package live

import (
	"context"
	"fmt"
	"sync"

	"binnacle/ops"
	"binnacle/ops/remote"
)

// Asker asks the person in front: about host keys and passphrases, and what a
// task wants to know before it goes on.
type Asker interface {
	remote.Asker
	Ask(ctx context.Context, q ops.Question) (ops.Answer, error)
}

// Questions puts what only a person can answer into the State, and waits there
// for the answer: how the console asks about host keys and passphrases.
type Questions struct {
	store *ops.Store

	mu      sync.Mutex
	serial  int
	waiting map[string]chan ops.Answer
}

var _ Asker = (*Questions)(nil)

// The choices of a host key question; the first is the safe one.
const (
	refuseKey = "Refuse"
	trustKey  = "Trust and remember"
)

// Answer hands an answer to whoever waits for it.
func (q *Questions) Answer(id string, a ops.Answer) {
	q.mu.Lock()
	ch := q.waiting[id]
	delete(q.waiting, id)
	q.mu.Unlock()
	if ch != nil {
		ch <- a // has room for it
	}
}

// TrustHostKey asks about a host key that is not known.
func (q *Questions) TrustHostKey(ctx context.Context, key remote.HostKey) (bool, error) {
	a, err := q.ask(ctx, ops.Question{
		Title: "Unknown host key: " + key.Host,
		Lines: []string{
			"Address      " + key.Address, "Key          " + key.Type, "Fingerprint  " + key.Fingerprint,
			"Compare it with what the host itself says: ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub",
		},
		Choices: []string{refuseKey, trustKey},
	})
	return a.Given && a.Choice == trustKey, err
}

// Passphrase asks for the passphrase of a private key.
func (q *Questions) Passphrase(ctx context.Context, path string, again bool) ([]byte, error) {
	question := ops.Question{Title: "Passphrase of " + path, Secret: true}
	if again {
		question.Lines = []string{"That was not it."}
	}
	a, err := q.ask(ctx, question)
	if err == nil && !a.Given {
		err = fmt.Errorf("no passphrase was given")
	}
	return []byte(a.Text), err
}

// Ask asks what a task wants to know.
func (q *Questions) Ask(ctx context.Context, question ops.Question) (ops.Answer, error) {
	return q.ask(ctx, question)
}

// Private

func (q *Questions) ask(ctx context.Context, question ops.Question) (ops.Answer, error) {
	answered := make(chan ops.Answer, 1)
	q.mu.Lock()
	q.serial++
	question.ID = fmt.Sprintf("question-%d", q.serial)
	if q.waiting == nil {
		q.waiting = map[string]chan ops.Answer{}
	}
	q.waiting[question.ID] = answered
	q.mu.Unlock()
	q.store.Emit(ops.QuestionAsked{Question: question})
	defer q.store.Emit(ops.QuestionClosed{ID: question.ID})
	select {
	case a := <-answered:
		return a, nil
	case <-ctx.Done():
		q.Answer(question.ID, ops.Answer{}) // forgets it
		return ops.Answer{}, ctx.Err()
	}
}
