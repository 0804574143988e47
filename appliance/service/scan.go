package service

import (
	"context"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/appliance/service/web"
)

// Scan has the messages of web sessions adapted by the servers of an ICAP client.
type Scan struct{ *icap.Client }

// Adapt implements [web.Adapter].
func (s Scan) Adapt(ctx context.Context, m *web.Message) (*web.Result, error) {
	mode := icap.REQMOD
	if m.Kind == web.Response {
		mode = icap.RESPMOD
	}
	r, err := s.Client.Adapt(ctx, &icap.Message{
		Method: mode, Request: m.Request, Response: m.Response, Body: m.Body, Length: m.Length,
		Client: m.Client, Server: m.Server, User: m.User,
	})
	if err != nil {
		return nil, err
	}
	return &web.Result{Outcome: outcomes[r.Outcome], Header: r.Header, Body: r.Body, Finding: r.Detail.Threat()}, nil
}

var outcomes = [...]web.Outcome{icap.Unmodified: web.Unmodified, icap.Modified: web.Modified, icap.Blocked: web.Blocked}
