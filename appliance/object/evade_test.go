package object

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// TestNothingHides: a sender can hide no file by a form that is wrong.
func TestNothingHides(t *testing.T) {
	secret := "the secret of the house is hidden in here"
	part := "Content-Disposition: form-data; name=f; filename=secret.txt\r\n\r\n" + secret + "\r\n"
	long := "X-Long: " + strings.Repeat("x", 2<<20) + "\r\n"
	var many strings.Builder
	for range maxParts {
		many.WriteString("--b\r\n\r\nx\r\n")
	}
	for _, tt := range []struct{ name, kind, codings, text string }{
		{"a coding that is not there", "text/plain", "gzip", secret},
		{"two of them", "text/plain", "br, zstd", secret},
		{"chunks that are not there", "text/plain", "aws-chunked", secret + "\nmore"},
		{"a line that is no chunk", "text/plain", "aws-chunked", strings.Repeat("y", 3000) + secret},
		{"a header without end in front", "multipart/form-data; boundary=b", "", "--b\r\n" + long + "--b\r\n" + part + "--b--\r\n"},
		{"a long header in front", "multipart/form-data; boundary=b", "", "--b\r\n" + long + "\r\nx\r\n--b\r\n" + part + "--b--\r\n"},
		{"many parts in front", "multipart/form-data; boundary=b", "", many.String() + "--b\r\n" + part + "--b--\r\n"},
		{"no boundary", "multipart/form-data", "", "preamble\r\n--b\r\n" + part + "--b--\r\n"},
		{"a boundary in pieces", "multipart/form-data; boundary*0=b; boundary*1=c", "", "--bc\r\n" + part + "--bc--\r\n"},
		{"behind the end", "multipart/form-data; boundary=b", "", "--b\r\n\r\nx\r\n--b--\r\n--b\r\n" + part + "--b--\r\n"},
		{"neither boundary nor delimiter", "multipart/form-data", "", secret},
	} {
		for _, pieces := range []int{0, 1, 1400} {
			if pieces == 1 && len(tt.text) > 100_000 {
				continue
			}
			found := 0
			for _, k := range read(Content{Type: tt.kind, Codings: tt.codings}, []byte(tt.text), pieces) {
				if bytes.Contains(k.octets, []byte(secret)) && k.ended {
					found++
				}
			}
			if found == 0 {
				t.Errorf("%s, in pieces of %d: it is hidden", tt.name, pieces)
			}
		}
	}
}

// TestDigest: parts of a digest are messages.
func TestDigest(t *testing.T) {
	text := "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\nContent-Type: text/plain; name=in.txt\r\n\r\ninside\r\n--b--\r\n"
	found := false
	for _, k := range read(Content{Mail: true}, []byte(text), 0) {
		found = found || k.Name == "in.txt" && string(k.octets) == "inside"
	}
	if !found {
		t.Error("the message within is not read")
	}
}

// TestBase64Hole: behind a hole, reading goes on at the next line.
func TestBase64Hole(t *testing.T) {
	line := func(n int) string {
		return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{byte(n)}, 57)) + "\r\n"
	}
	for _, lost := range []int{1, 3, 4, 50} {
		s := &shelf{}
		x := New(Content{Transfer: "base64"}, s)
		x.Write([]byte(line(1) + line(2)[:20]))
		x.Hole(uint64(lost))
		x.Write([]byte(line(2)[20+lost:] + line(3) + line(4)))
		x.Close(true)
		k := s.objects[0]
		if !bytes.HasPrefix(k.octets, bytes.Repeat([]byte{1}, 57)) || !bytes.HasSuffix(k.octets, append(bytes.Repeat([]byte{3}, 57), bytes.Repeat([]byte{4}, 57)...)) {
			t.Errorf("%d characters are lost: %x", lost, k.octets)
		}
		if n := uint64(len(k.octets)) + k.lost; n < 4*57-3 || n > 4*57+3 || k.ending != Cut {
			t.Errorf("%d characters are lost: %d octets and %d in holes, %s", lost, len(k.octets), k.lost, fmt.Sprint(k.ending))
		}
	}
}
