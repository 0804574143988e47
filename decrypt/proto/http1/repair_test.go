package http1

import (
	"bytes"
	"testing"
)

func TestRepair(t *testing.T) {
	const start = "HTTP/1.1 200 OK\r\n"
	for _, tt := range []struct {
		name, head, want string
		fault            Fault // of a strict reader, behind the repair
	}{
		{"sound", start + "A:  b \r\nContent-Length: 5\r\n\r\n", start + "A:  b \r\nContent-Length: 5\r\n\r\n", Sound},
		{"white space before the colon", start + "X-Device \t: b\r\n\r\n", start + "X-Device: b\r\n\r\n", Sound},
		{"of the length", start + "Content-Length : 5\r\n\r\n", start + "Content-Length: 5\r\n\r\n", Sound},
		{"LF alone", "HTTP/1.1 200 OK\nA: b\nC : d\n\n", start + "A: b\r\nC: d\r\n\r\n", Sound},
		{"LF alone, at the end", start + "A: b\r\n\n", start + "A: b\r\n\r\n", Sound},
		{"LF alone, in the middle", start + "A: b\nC: d\r\n\r\n", start + "A: b\r\nC: d\r\n\r\n", Sound},
		{"folded", start + "A: b\r\n c\r\n\t d \r\nE: f\r\n\r\n", start + "A: b c d\r\nE: f\r\n\r\n", Sound},
		{"folded coding", start + "Transfer-Encoding:\r\n chunked\r\n\r\n", start + "Transfer-Encoding: chunked\r\n\r\n", Sound},
		{"folded at once", start + " A: b\r\n\r\n", start + " A: b\r\n\r\n", Folded},
		{"identity", start + "Transfer-Encoding: Identity\r\nContent-Length: 5\r\n\r\n", start + "Content-Length: 5\r\n\r\n", Sound},
		{"equal lengths", start + "Content-Length: 5, 5\r\n\r\n", start + "Content-Length: 5\r\n\r\n", Sound},
		{"other lengths", start + "Content-Length: 5, 6\r\n\r\n", start + "Content-Length: 5, 6\r\n\r\n", BadLength},
		{"white space within the name", start + "X Device: b\r\n\r\n", start + "X Device: b\r\n\r\n", BadName},
		{"no colon", start + "what\r\n\r\n", start + "what\r\n\r\n", BadName},
		{"no name", start + ": b\r\n\r\n", start + ": b\r\n\r\n", BadName},
		{"CR alone", start + "A: b\rC: d\r\n\r\n", start + "A: b\rC: d\r\n\r\n", BareCR},
		{"NUL", start + "A: b\x00c\n\r\n", start + "A: b\x00c\r\n\r\n", Control},
	} {
		got := Repair([]byte(tt.head))
		if string(got) != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if _, fault := ParseResponse(got, Strict, nil); fault != tt.fault {
			t.Errorf("%s: fault %v, want %v", tt.name, fault, tt.fault)
		}
	}
}

// FuzzRepair: what was repaired is the same when it is repaired again. If a strict
// reader takes it, a loose reader finds the same status and framing in what came.
func FuzzRepair(f *testing.F) {
	for _, s := range []string{"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.0 200\nA: b\n c\n\n", "HTTP/1.1 200 OK\r\nContent-Length: 5,5\r\nTransfer-Encoding: identity\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Head
		n, _ := h.End(b, Loose)
		if n <= len(crlf) {
			return
		}
		head := b[:n]
		before := bytes.Clone(head)
		out := Repair(head)
		if !bytes.Equal(head, before) {
			t.Fatal("the head was changed in place")
		}
		if again := Repair(out); !bytes.Equal(again, out) {
			t.Fatalf("%q repaired again is %q", out, again)
		}
		strict, fault := ParseResponse(out, Strict, nil)
		if fault != Sound {
			return
		}
		loose, fault := ParseResponse(head, Loose, nil)
		if fault != Sound || loose.Code != strict.Code || loose.Framing != strict.Framing {
			t.Fatalf("%q: %v, %+v, repaired %+v", head, fault, loose, strict)
		}
	})
}
