package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"
)

// target is one container.
type target struct {
	address   string
	options   targetOptions
	transport *http.Transport
}

func newTarget(address string, options targetOptions) *target {
	if !strings.Contains(address, ":") {
		address += ":80"
	}
	return &target{address: address, options: options, transport: &http.Transport{
		MaxIdleConnsPerHost: 100, ResponseHeaderTimeout: options.ResponseTimeout, DisableCompression: true,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	}}
}

// awaitHealthy checks at once and then at every interval.
func (t *target) awaitHealthy(ctx context.Context) error {
	tick := time.NewTicker(t.options.Health.Interval)
	defer tick.Stop()
	for {
		err := t.check(ctx)
		if err == nil {
			slog.Info("Target health updated", "target", t.address, "success", true, "state", "healthy", "was", "adding")
			return nil
		}
		if ctx.Err() == nil {
			slog.Info("Healthcheck failed", "url", t.healthURL(), "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (t *target) serve(w http.ResponseWriter, r *http.Request, path string, s *service) {
	handler := &httputil.ReverseProxy{
		Transport: t.transport,
		Rewrite: func(out *httputil.ProxyRequest) {
			out.Out.URL.Scheme, out.Out.URL.Host = "http", t.address
			out.Out.URL.Path, out.Out.URL.RawPath = path, ""
			out.Out.Host = out.In.Host
			t.forwardHeaders(out)
		},
		ModifyResponse: t.limitResponse,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			status, message := failureOf(r.Context(), err)
			if status == http.StatusBadGateway {
				slog.Error("Error while proxying", "target", t.address, "path", r.URL.Path, "error", err.Error())
			}
			s.fail(w, status, message)
		},
	}
	handler.ServeHTTP(w, r)
}

// Private

func (t *target) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.options.Health.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.healthURL(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "kamal-proxy")
	if t.options.Health.Host != "" {
		request.Host = t.options.Health.Host
	}
	response, err := http.DefaultClient.Do(request)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("request timed out")
	}
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("unexpected status (%d)", response.StatusCode)
	}
	return nil
}

func (t *target) healthURL() string {
	address := t.address
	if port := t.options.Health.Port; port != 0 {
		host, _, _ := net.SplitHostPort(t.address)
		address = net.JoinHostPort(host, strconv.Itoa(port))
	}
	return "http://" + address + t.options.Health.Path
}

func (t *target) forwardHeaders(out *httputil.ProxyRequest) {
	if t.options.ForwardHeaders {
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
			if values := out.In.Header.Values(name); len(values) > 0 {
				out.Out.Header[name] = values
			}
		}
	}
	kept := out.Out.Header.Clone()
	out.SetXForwarded()
	if t.options.ForwardHeaders {
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
			if value := kept.Get(name); value != "" {
				out.Out.Header.Set(name, value)
			}
		}
	}
	if out.Out.Header.Get("X-Request-Start") == "" {
		out.Out.Header.Set("X-Request-Start", "t="+strconv.FormatInt(time.Now().UnixMilli(), 10))
	}
	out.Out.Header.Set("X-Kamal-Target", t.address)
}

// limitResponse reads a response whose size is limited before any of it is
// sent, so that too large a one can still become an error.
func (t *target) limitResponse(response *http.Response) error {
	limit := t.options.MaxResponseBodySize
	if !t.options.BufferResponses || limit <= 0 {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if int64(len(body)) > limit {
		return errors.New("response body is larger than the limit")
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// Helpers

func failureOf(ctx context.Context, err error) (int, string) {
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, ""
	case errors.Is(context.Cause(ctx), errDrained):
		return http.StatusGatewayTimeout, ""
	case errors.Is(err, context.Canceled):
		return 499, "client closed the request"
	case errors.As(err, &timeout) && timeout.Timeout():
		return http.StatusGatewayTimeout, ""
	}
	return http.StatusBadGateway, ""
}
