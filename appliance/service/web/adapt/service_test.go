package adapt

import "testing"

func TestBypasses(t *testing.T) {
	const events = "text/event-stream"
	s := Service{MaxBody: 100, Bypass: []string{"video/*"}, Streams: []string{events}}
	ask := func(accept string) []byte { return []byte("GET / HTTP/1.1\r\nHost: a\r\n" + accept + "\r\n") }
	for _, tt := range []struct {
		name  string
		m     Message
		media string
		want  bool
	}{
		{"short", Message{Length: 100}, "text/html", false},
		{"long", Message{Length: 101}, "text/html", true},
		{"by its type", Message{Length: 1}, "Video/mp4", true},
		{"events", Message{Kind: Response, Length: -1, Request: ask("accept: Text/Event-Stream\r\n")}, "Text/event-stream", true},
		{"events among others", Message{Kind: Response, Length: -1, Request: ask("Accept: text/html\r\nAccept: */*;q=0.1, text/event-stream ;q=1\r\n")}, events, true},
		{"events of a known length", Message{Kind: Response, Length: 9, Request: ask("Accept: text/event-stream\r\n")}, events, false},
		{"nobody asked for events", Message{Kind: Response, Length: -1, Request: ask("Accept: */*\r\n")}, events, false},
		{"asked for by another field", Message{Kind: Response, Length: -1, Request: ask("X-Accept: text/event-stream\r\n")}, events, false},
		{"a request that calls itself events", Message{Kind: Request, Length: -1, Request: ask("Accept: text/event-stream\r\n")}, events, false},
	} {
		if got := s.bypasses(&tt.m, []byte(tt.media)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
