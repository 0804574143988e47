package mail

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/decrypt"
)

const (
	begin   = "EHLO client.test\r\nMAIL FROM:<a@client.test>\r\nRCPT TO:<b@origin.test>\r\n"
	quit    = "QUIT\r\n"
	message = "Subject: x\r\n\r\nline\r\n..dot\r\n...\r\n"
)

// codes returns the first three octets of the last line of each reply.
func codes(answers string) string {
	var list []string
	for _, line := range strings.Split(strings.TrimSuffix(answers, "\r\n"), "\r\n") {
		if len(line) > 3 && line[3] == ' ' {
			list = append(list, line[:3])
		}
	}
	return strings.Join(list, " ")
}

func TestDialogue(t *testing.T) {
	broken := func(*icap.Message, []byte) (*icap.Result, error) {
		return nil, &icap.Error{Kind: icap.Timeout, Err: errors.New("late")}
	}
	changing := func(_ *icap.Message, body []byte) (*icap.Result, error) {
		return &icap.Result{Outcome: icap.Modified, Header: []byte("HTTP/1.1 200 OK\r\n\r\n"),
			Body: io.NopCloser(strings.NewReader(strings.ReplaceAll(string(body), "line\r\n", ".added\r\n") + "no end"))}, nil
	}
	for _, tt := range []struct {
		name     string
		cfg      Config
		answers  map[string]string
		script   string
		codes    string
		messages []string
		result   string
	}{
		{"clean, pipelined", Config{Adapter: adapter(clean)}, nil, begin + "DATA\r\n" + message + ".\r\n" + quit,
			"220 250 250 250 354 250 221", []string{message}, WordUnmodified},
		{"upgraded", Config{Adapter: adapter(clean)}, nil, begin + "DATA\r\n" + message + ".\r\n" + quit,
			"250 250 250 354 250 221", []string{message}, WordUnmodified},
		{"two messages", Config{Adapter: adapter(blocking)}, nil, begin + "DATA\r\nevil\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<b@origin.test>\r\nDATA\r\ngood\r\n.\r\n" + quit,
			"220 250 250 250 354 554 250 250 354 250 221", []string{"good\r\n"}, WordBlocked},
		{"empty", Config{Adapter: adapter(clean)}, nil, begin + "DATA\r\n.\r\n" + quit, "220 250 250 250 354 250 221", []string{""}, WordUnmodified},
		{"blocked", Config{Adapter: adapter(blocking)}, nil, begin + "DATA\r\nevil\r\n.\r\n" + quit, "220 250 250 250 354 554 221", nil, WordBlocked},
		{"hidden by a dot", Config{Adapter: adapter(blocking)}, nil, begin + "DATA\r\nx\r\n..\r\nevil\r\n.\r\n" + quit, "220 250 250 250 354 554 221", nil, WordBlocked},
		{"modified", Config{Adapter: adapter(changing)}, nil, begin + "DATA\r\n" + message + ".\r\n" + quit,
			"220 250 250 250 354 250 221", []string{"Subject: x\r\n\r\n..added\r\n..dot\r\n...\r\nno end\r\n"}, WordModified},
		{"closed", Config{Adapter: adapter(broken)}, nil, begin + "DATA\r\nx\r\n.\r\n" + quit, "220 250 250 250 354 451 221", nil, WordFailedClosed},
		{"open", Config{Adapter: adapter(broken), FailOpen: true}, nil, begin + "DATA\r\nx\r\n.\r\n" + quit, "220 250 250 250 354 250 221", []string{"x\r\n"}, WordFailedOpen},
		{"too long", Config{Adapter: adapter(clean), MaxMessage: 10}, nil, begin + "DATA\r\n0123456789\r\n.\r\n" + quit, "220 250 250 250 354 552 221", nil, WordFailedClosed},
		{"in a file", Config{Adapter: adapter(blocking), Memory: 7}, nil, begin + "DATA\r\n" + message + message + ".\r\n" + quit,
			"220 250 250 250 354 250 221", []string{message + message}, WordUnmodified},
		{"in a file, blocked", Config{Adapter: adapter(blocking), Memory: 3}, nil, begin + "DATA\r\nxxxxxevil\r\n.\r\n" + quit, "220 250 250 250 354 554 221", nil, WordBlocked},

		{"chunks", Config{Adapter: adapter(clean)}, nil, begin + "BDAT 5\r\nab\r\n.BDAT 3 LAST\r\n\n.\r" + quit,
			"220 250 250 250 250 250 221", []string{"ab\r\n.\n.\r"}, WordUnmodified},
		{"chunks, blocked", Config{Adapter: adapter(blocking)}, nil, begin + "BDAT 2\r\nevBDAT 2\r\nilBDAT 0 LAST\r\n" + quit, "220 250 250 250 250 250 554 221", nil, WordBlocked},
		{"chunks, forgotten", Config{Adapter: adapter(blocking)}, nil, begin + "BDAT 4\r\nevilRSET\r\n" + quit, "220 250 250 250 250 250 221", nil, ""},
		{"chunks, then DATA", Config{Adapter: adapter(blocking)}, nil, begin + "BDAT 4\r\nevilDATA\r\n" + quit, "220 250 250 250 250 503 221", nil, ""},
		{"chunk without recipient", Config{Adapter: adapter(clean)}, nil, "BDAT 6 LAST\r\nQUIT\r\n" + quit, "220 503 221", nil, ""},
		{"DATA without recipient", Config{Adapter: adapter(clean)}, map[string]string{"RCPT": "550 no"}, begin + "DATA\r\n" + quit, "220 250 250 550 503 221", nil, ""},
		{"origin refuses DATA", Config{Adapter: adapter(clean)}, map[string]string{"DATA": "554 no"}, begin + "DATA\r\nx\r\n.\r\n" + quit, "220 250 250 250 354 554 221", nil, WordUnmodified},
		{"second DATA needs recipients", Config{Adapter: adapter(clean)}, nil, begin + "DATA\r\nx\r\n.\r\nDATA\r\n" + quit, "220 250 250 250 354 250 503 221", []string{"x\r\n"}, WordUnmodified},

		{"AUTH answer that looks like DATA", Config{Adapter: adapter(clean)}, nil, begin + "AUTH LOGIN\r\nDATA\r\n" + quit, "220 250 250 250 334 235 221", nil, ""},
		{"STARTTLS, BURL", Config{Adapter: adapter(clean)}, nil, begin + "STARTTLS\r\nBURL imap://x LAST\r\n" + quit, "220 250 250 250 454 502 221", nil, ""},
		{"bare CR hides DATA", Config{Adapter: adapter(clean)}, nil, begin + "NOOP\rDATA\r\n" + quit, "220 250 250 250 500 221", nil, ""},
		{"almost DATA", Config{Adapter: adapter(clean)}, nil, begin + "DATA;\r\n\vDATA\r\n\r\n" + quit, "220 250 250 250 500 500 500 221", nil, ""},
		{"bare LF ends commands", Config{Adapter: adapter(clean)}, nil, strings.ReplaceAll(begin, "\r\n", "\n") + "DATA\nx\r\n.\r\n" + quit, "220 250 250 250 354 250 221", []string{"x\r\n"}, WordUnmodified},
		{"smuggled end", Config{Adapter: adapter(clean)}, nil, begin + "DATA\r\nx\n.\nMAIL FROM:<x>\r\n.\r\n" + quit, "220 250 250 250 354 550 221", nil, WordBlocked},
		{"unfinished content", Config{Adapter: adapter(clean)}, nil, begin + "DATA\r\nx\r\n", "220 250 250 250 354", nil, ""},
		{"greeting only", Config{Adapter: adapter(clean)}, nil, "", "220", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := play(t, tt.cfg, tt.answers, tt.script)
			if got := codes(d.answers); got != tt.codes {
				t.Errorf("client was answered %s, want %s\n%s", got, tt.codes, d.answers)
			}
			if !slices.Equal(d.messages, tt.messages) {
				t.Errorf("origin got %q, want %q", d.messages, tt.messages)
			}
			if d.result != tt.result || d.err != nil {
				t.Errorf("result is %q, want %q; %v", d.result, tt.result, d.err)
			}
			if tt.messages == nil && tt.answers == nil && (slices.Contains(d.commands, "DATA") && !strings.Contains(tt.name, "AUTH")) {
				t.Errorf("origin was told of DATA: %q", d.commands)
			}
		})
	}
}

func TestConcealed(t *testing.T) {
	d := play(t, Config{Adapter: adapter(clean)}, nil, begin+quit)
	const want = "220 origin.test ESMTP\r\n250-origin.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 1000\r\n"
	if !strings.HasPrefix(d.answers, want) {
		t.Errorf("client was answered %q", d.answers)
	}
}

func TestWrapper(t *testing.T) {
	var m icap.Message
	var body string
	d := play(t, Config{Adapter: adapter(func(got *icap.Message, b []byte) (*icap.Result, error) {
		m, body = *got, string(b)
		return new(icap.Result), nil
	})}, nil, begin+"RCPT TO:<\x01c\xc3\xa9@origin.test> NOTIFY=NEVER\r\nDATA\r\n"+message+".\r\n"+quit)
	if string(m.Request) != "GET http://mail.invalid/0123456789abcdef/1.eml HTTP/1.1\r\nHost: mail.invalid\r\n\r\n" {
		t.Errorf("request is %q", m.Request)
	}
	if string(m.Response) != "HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\nContent-Length: 30\r\n"+
		"X-Mail-From: a@client.test\r\nX-Rcpt-To: b@origin.test\r\nX-Rcpt-To: ?c\xc3\xa9@origin.test\r\n\r\n" {
		t.Errorf("response is %q", m.Response)
	}
	if body != "Subject: x\r\n\r\nline\r\n.dot\r\n..\r\n" || m.Client.Port() != 40000 || m.Server.Port() != 25 || m.Method != icap.RESPMOD {
		t.Errorf("body is %q of %+v; %v", body, m, d.err)
	}
}

func TestOutOfStep(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		answers      map[string]string
	}{
		{"no reply", begin, map[string]string{"MAIL": "hello"}},
		{"codes change", begin, map[string]string{"MAIL": "250-a\r\n251 b"}},
		{"content is asked for", begin + "NOOP\r\n" + quit, map[string]string{"NOOP": "354 go on"}},
		{"endless line", begin + strings.Repeat("x", maxLine+10) + "\r\n", nil},
		{"size of BDAT", begin + "BDAT x LAST\r\n", nil},
		{"endless reply", begin, map[string]string{"MAIL": strings.Repeat("250-"+strings.Repeat("x", 1000)+"\r\n", 100) + "250 x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := play(t, Config{Adapter: adapter(clean)}, tt.answers, tt.script)
			var v interface{ Reason() string }
			if !errors.As(d.err, &v) || v.Reason() != "smtp-violation" {
				t.Errorf("error is %v", d.err)
			}
		})
	}
}

var _ Adapter = (*icap.Client)(nil)

func TestSpeaks(t *testing.T) {
	for _, tt := range []struct {
		protocol, alpn, origin string
		want                   bool
	}{
		{"smtp", "", "192.0.2.1:2525", true},
		{"imap", "", "192.0.2.1:2525", true},
		{"pop3", "", "192.0.2.1:2525", true},
		{"ftp", "", "192.0.2.1:25", false},
		{"tls", "", "192.0.2.1:465", false},
		{"http", "", "192.0.2.1:465", false},
	} {
		s := &decrypt.Session{Protocol: tt.protocol, ALPN: tt.alpn, Origin: netip.MustParseAddrPort(tt.origin)}
		if got := Speaks(s); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
