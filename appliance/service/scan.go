package service

import (
	"context"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

// Scan has the messages of web sessions adapted by the servers of an ICAP client.
type Scan struct{ *icap.Client }

// Adapt implements [adapt.Adapter].
func (s Scan) Adapt(ctx context.Context, m *adapt.Message) (*adapt.Result, error) {
	mode := icap.REQMOD
	if m.Kind == adapt.Response {
		mode = icap.RESPMOD
	}
	r, err := s.Client.Adapt(ctx, &icap.Message{
		Method: mode, Request: m.Request, Response: m.Response, Body: m.Body, Length: m.Length,
		Client: m.Client, Server: m.Server, User: m.User,
	})
	if err != nil {
		return nil, err
	}
	return &adapt.Result{Outcome: outcomes[r.Outcome], Bypassed: r.Detail.Bypass != "", Header: r.Header, Body: r.Body, Finding: r.Detail.Threat()}, nil
}

var outcomes = [...]adapt.Outcome{icap.Unmodified: adapt.Unmodified, icap.Modified: adapt.Modified, icap.Blocked: adapt.Blocked}
