package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/hack/lab"
)

// recording is what tshark makes of the capture, and the appliance's own view.
type recording struct {
	problems      []string
	conversations []lab.Conversation
	requests      [][]string // stream, method, host, target
	responses     [][]string // stream, status, type, length
	requests2     [][]string // the same of HTTP/2
	responses2    [][]string
	messages      [][]string        // stream, from, to, subject
	objects       map[string][]byte // objects of HTTP/1.1 by file name
	bodies        []lab.HTTP2Body
	mails         []string // exported messages
	entries       []entry
	files         []lab.Conversation // of the pcapng sink
	served        string             // the origin's log of web requests
}

// entry is the part of an audit entry that is compared.
type entry struct {
	Client netip.AddrPort
	Octets struct {
		Up   int64 `json:"client_to_origin"`
		Down int64 `json:"origin_to_client"`
	}
	Mirror  map[string]mirrored
	Service map[string]string
	Outcome string
}

// mirrored is what an entry says of a sink.
type mirrored struct {
	Octets, Lost int64
	Reason       string
}

func readRecording(ctx context.Context, s *stage) (*recording, error) {
	r := &recording{objects: make(map[string][]byte)}
	file := s.capture.File
	var err error
	if r.problems, err = lab.Problems(ctx, file); err != nil {
		return nil, err
	}
	if r.conversations, err = lab.Conversations(ctx, file); err != nil {
		return nil, err
	}
	for _, q := range []struct {
		to     *[][]string
		filter string
		fields []string
	}{
		{&r.requests, "http.request", []string{"tcp.stream", "http.request.method", "http.host", "http.request.uri"}},
		{&r.responses, "http.response", []string{"tcp.stream", "http.response.code", "http.content_type", "http.content_length"}},
		{&r.requests2, "http2.headers.method", []string{"tcp.stream", "http2.headers.method", "http2.headers.authority", "http2.headers.path"}},
		{&r.responses2, "http2.headers.status", []string{"tcp.stream", "http2.headers.status", "http2.headers.content_type", "http2.headers.content_length"}},
		{&r.messages, "imf", []string{"tcp.stream", "imf.from", "imf.to", "imf.subject"}},
	} {
		if *q.to, err = lab.Fields(ctx, file, q.filter, q.fields...); err != nil {
			return nil, err
		}
	}
	if r.bodies, err = lab.HTTP2Bodies(ctx, file); err != nil {
		return nil, err
	}
	if err := r.export(ctx, file, s.box); err != nil {
		return nil, err
	}
	if r.entries, err = readEntries(s.auditFile()); err != nil {
		return nil, err
	}
	served, err := os.ReadFile(filepath.Join(s.web.Dir, "access.log"))
	if err != nil {
		return nil, err
	}
	r.served = string(served)
	written, err := filepath.Glob(filepath.Join(s.box, "pcap", "*.pcapng"))
	if err != nil {
		return nil, err
	}
	for _, path := range written {
		list, err := lab.Conversations(ctx, path)
		if err != nil {
			return nil, err
		}
		r.files = append(r.files, list...)
	}
	return r, nil
}

// export has tshark write objects and messages below dir.
func (r *recording) export(ctx context.Context, file, dir string) error {
	objects, err := lab.ExportObjects(ctx, file, "http", filepath.Join(dir, "objects"))
	if err != nil {
		return err
	}
	for _, path := range objects {
		if r.objects[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			return err
		}
	}
	messages, err := lab.ExportObjects(ctx, file, "imf", filepath.Join(dir, "messages"))
	if err != nil {
		return err
	}
	for _, path := range messages {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r.mails = append(r.mails, string(text))
	}
	return nil
}

func readEntries(path string) ([]entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read audit: %w", err)
	}
	var list []entry
	for line := range bytes.Lines(text) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("read audit: %w in %q", err, line)
		}
		if e.Outcome != "dropped" { // that is about frames of a wire
			list = append(list, e)
		}
	}
	return list, nil
}

// tell lists requests, responses and mails as they were read.
func (r *recording) tell(out *story) {
	pair := func(version string, requests, responses [][]string) {
		for _, q := range requests {
			answer := "no response"
			if i := slices.IndexFunc(responses, func(p []string) bool { return p[0] == q[0] }); i >= 0 {
				p := responses[i]
				if answer = p[1] + " " + p[2]; p[3] != "" {
					answer += " " + p[3] + " octets"
				}
			}
			out.say("  %s %s http://%s%s -> %s\n", version, q[1], q[2], q[3], answer)
		}
	}
	pair("HTTP/1.1", r.requests, r.responses)
	pair("HTTP/2  ", r.requests2, r.responses2)
	for _, m := range r.messages {
		out.say("  mail     from %s to %s: %q\n", m[1], m[2], m[3])
		for _, text := range r.mails {
			if header, body, ok := strings.Cut(text, "\r\n\r\n"); ok && strings.Contains(header, m[3]) {
				for line := range strings.Lines(strings.TrimSpace(body)) {
					out.say("           | %s\n", strings.TrimSpace(line))
				}
			}
		}
	}
}
