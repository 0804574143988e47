package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/watch"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// Status asks how the box is.
func (c *Client) Status(ctx context.Context) (s control.Status, err error) {
	return s, c.ask(ctx, "GET", "/api/v1/status", nil, &s)
}

// Alerts asks what an operator must act on.
func (c *Client) Alerts(ctx context.Context) (list []health.Alert, err error) {
	return list, c.ask(ctx, "GET", "/api/v1/alerts", nil, &list)
}

// Mirrors asks how the mirrors are.
func (c *Client) Mirrors(ctx context.Context) (list []control.Mirror, err error) {
	return list, c.ask(ctx, "GET", "/api/v1/mirrors", nil, &list)
}

// Services asks how the services are.
func (c *Client) Services(ctx context.Context) (list []control.Service, err error) {
	return list, c.ask(ctx, "GET", "/api/v1/services", nil, &list)
}

// Intakes asks how the intakes are.
func (c *Client) Intakes(ctx context.Context) (list []control.Intake, err error) {
	return list, c.ask(ctx, "GET", "/api/v1/intakes", nil, &list)
}

// Reload has the box read its configuration again. If the running one stays, the error
// wraps a [*control.Problem].
func (c *Client) Reload(ctx context.Context) (r control.Reloaded, err error) {
	return r, c.ask(ctx, "POST", "/api/v1/reload", nil, &r)
}

// Sessions asks for at most limit sessions that match a query, see [control.List].
func (c *Client) Sessions(ctx context.Context, query string, limit int, at watch.Cursor) (l control.List, err error) {
	v := url.Values{"query": {query}, "limit": {strconv.Itoa(limit)}, "cursor": {string(at)}}
	return l, c.ask(ctx, "GET", "/api/v1/sessions?"+v.Encode(), nil, &l)
}

// Session asks what is known of a session.
func (c *Client) Session(ctx context.Context, id string) (d control.Detail, err error) {
	return d, c.ask(ctx, "GET", "/api/v1/sessions/"+url.PathEscape(id), nil, &d)
}

// EndSession resets an open session.
func (c *Client) EndSession(ctx context.Context, id string) error {
	return c.ask(ctx, "DELETE", "/api/v1/sessions/"+url.PathEscape(id), nil, nil)
}

// Learned asks what was learned of sessions.
func (c *Client) Learned(ctx context.Context) (list []learn.Entry, err error) {
	return list, c.ask(ctx, "GET", "/api/v1/learned", nil, &list)
}

// KeepLearned has a learned entry stay beyond its time, or takes that back.
func (c *Client) KeepLearned(ctx context.Context, id string, keep bool) error {
	return c.ask(ctx, "POST", "/api/v1/learned/"+url.PathEscape(id), control.Kept{Kept: &keep}, nil)
}

// DeleteLearned has a learned entry forgotten.
func (c *Client) DeleteLearned(ctx context.Context, id string) error {
	return c.ask(ctx, "DELETE", "/api/v1/learned/"+url.PathEscape(id), nil, nil)
}

// Texts of a box, by what [Client.Text] asks for.
const (
	Metrics       = "metrics"
	Configuration = "config" // without comments and secrets
	Log           = "log"    // the last lines
)

// Text asks for a text.
func (c *Client) Text(ctx context.Context, what string) ([]byte, error) {
	res, err := c.send(ctx, "GET", "/api/v1/"+what, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, c.most))
	if err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", c.path, err)
	}
	return text, nil
}

// Top has the box measure who has most of the traffic.
func (c *Client) Top(ctx context.Context, window time.Duration, limit int) (t control.Top, err error) {
	v := url.Values{"window": {window.String()}, "limit": {strconv.Itoa(limit)}}
	return t, c.ask(ctx, "GET", "/api/v1/top?"+v.Encode(), nil, &t)
}

// Follow begins a stream of sessions that match a query, from now on. The caller closes it.
func (c *Client) Follow(ctx context.Context, query string) (*Stream, error) {
	res, err := c.accept(ctx, "GET", "/api/v1/sessions?"+url.Values{"query": {query}}.Encode(), nil, "application/x-ndjson")
	if err != nil {
		return nil, err
	}
	return &Stream{path: c.path, res: res, lines: json.NewDecoder(res.Body)}, nil
}

// Stream is a stream of sessions.
type Stream struct {
	path  string
	res   *http.Response
	lines *json.Decoder
}

// Next waits for the next event. io.EOF says that the box has ended the stream.
func (s *Stream) Next() (control.Event, error) {
	var e struct {
		watch.Row
		Missed uint64 `json:"missed"`
	}
	if err := s.lines.Decode(&e); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return control.Event{}, io.EOF
		}
		return control.Event{}, fmt.Errorf("read stream of %s: %w", s.path, err)
	}
	if e.Missed > 0 {
		return control.Event{Missed: e.Missed}, nil
	}
	return control.Event{Row: &e.Row}, nil
}

// Close ends the stream.
func (s *Stream) Close() error { return s.res.Body.Close() }
