package webtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

// AdapterFunc is an [adapt.Adapter].
type AdapterFunc func(ctx context.Context, m *adapt.Message) (*adapt.Result, error)

// Adapt implements [adapt.Adapter].
func (f AdapterFunc) Adapt(ctx context.Context, m *adapt.Message) (*adapt.Result, error) {
	return f(ctx, m)
}

// Unmodified is what an adapter returns that has read kept of the body.
func Unmodified(m *adapt.Message, kept []byte) *adapt.Result {
	if m.Body == nil {
		return &adapt.Result{}
	}
	return &adapt.Result{Body: io.NopCloser(io.MultiReader(bytes.NewReader(kept), m.Body))}
}

// Preview reads up to n octets of the body, and leaves all as it is.
func Preview(n int64) AdapterFunc {
	return func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
		var kept []byte
		if m.Body != nil {
			var err error
			if kept, err = io.ReadAll(io.LimitReader(m.Body, n)); err != nil {
				return nil, err
			}
		}
		return Unmodified(m, kept), nil
	}
}

// Glance is Preview by a service whose body tells what is at hand and what comes
// as it is.
func Glance(n int64) AdapterFunc {
	return func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
		if m.Body == nil {
			return &adapt.Result{}, nil
		}
		kept, err := io.ReadAll(io.LimitReader(m.Body, n))
		return &adapt.Result{Body: &begun{bytes.NewReader(kept), m.Body}}, err
	}
}

// begun is what was read of a body, then its rest.
type begun struct {
	kept *bytes.Reader
	rest io.Reader
}

func (k *begun) Read(p []byte) (int, error) {
	if k.Ready() {
		return k.kept.Read(p)
	}
	return k.rest.Read(p)
}

func (k *begun) Ready() bool { return k.kept.Len() > 0 }

func (k *begun) Rest() io.Reader {
	if k.Ready() {
		return nil
	}
	return k.rest
}

func (k *begun) Close() error { return nil }

// Streaming reads the body in a goroutine of its own while it is written.
func Streaming() AdapterFunc {
	return func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
		if m.Body == nil {
			return &adapt.Result{}, nil
		}
		r, w := io.Pipe()
		go func() {
			_, err := io.Copy(w, m.Body)
			w.CloseWithError(err)
		}()
		return &adapt.Result{Body: r}, nil
	}
}

// EICAR blocks messages that hold the word.
func EICAR() AdapterFunc {
	return func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
		var all []byte
		if m.Body != nil {
			var err error
			if all, err = io.ReadAll(m.Body); err != nil {
				return nil, err
			}
		}
		if !bytes.Contains(all, []byte("EICAR")) {
			return Unmodified(m, all), nil
		}
		return &adapt.Result{
			Outcome: adapt.Blocked,
			Header:  []byte("HTTP/1.1 403 Forbidden\r\nX-Service: test\r\nContent-Length: 7\r\n\r\n"),
			Body:    io.NopCloser(strings.NewReader("blocked")),
		}, nil
	}
}

// Shout rewrites bodies to capitals, under a header of its own.
func Shout() AdapterFunc {
	return func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
		if m.Body == nil {
			return &adapt.Result{}, nil
		}
		all, err := io.ReadAll(m.Body)
		if err != nil {
			return nil, err
		}
		h := m.Request
		if m.Kind == adapt.Response {
			h = m.Response
		}
		h = adapt.WithoutFraming(h)
		h = append(h[:len(h)-2], "X-Shout: yes\r\n\r\n"...)
		return &adapt.Result{Outcome: adapt.Modified, Header: h, Body: io.NopCloser(bytes.NewReader(bytes.ToUpper(all)))}, nil
	}
}

// Failing reads n octets of the body and gives up.
func Failing(n int64) AdapterFunc {
	return func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
		if m.Body != nil {
			io.CopyN(io.Discard, m.Body, n)
		}
		return nil, errors.New("no answer from the service")
	}
}

// Both returns a service that wants requests and responses.
func Both(name string, a adapt.Adapter) adapt.Service {
	return adapt.Service{Name: name, Adapter: a, Requests: true, Responses: true}
}

// One returns a configuration with one service, named av.
func One(a adapt.Adapter) adapt.Config { return adapt.Config{Services: []adapt.Service{Both("av", a)}} }
