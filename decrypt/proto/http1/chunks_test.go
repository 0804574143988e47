package http1_test

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// unchunk reads octets in pieces of that size. It returns the content, the framing
// and the octets that are left when the content is over.
func unchunk(c *http1.Chunks, octets string, piece int) (content, framing, rest string, fault http1.Fault) {
	for len(octets) > 0 && !c.Done() {
		p := []byte(octets[:min(piece, len(octets))])
		n, is, fault := c.Next(p)
		if is {
			content += string(p[:n])
		} else {
			framing += string(p[:n])
		}
		octets = octets[n:]
		if fault != http1.Sound {
			return content, framing, octets, fault
		}
	}
	return content, framing, octets, http1.Sound
}

func TestChunks(t *testing.T) {
	long := strings.Repeat("x", 1<<10)
	for _, tt := range []struct {
		name, octets  string
		content       string
		strict, loose http1.Fault
	}{
		{"one chunk", "5\r\nhello\r\n0\r\n\r\nrest", "hello", http1.Sound, http1.Sound},
		{"two chunks", "2\r\nhe\r\n003\r\nllo\r\n00\r\n\r\nrest", "hello", http1.Sound, http1.Sound},
		{"hexadecimal", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\nrest", "01234567890123456789", http1.Sound, http1.Sound},
		{"none", "0\r\n\r\nrest", "", http1.Sound, http1.Sound},
		{"extension", "5;a=\"b c\"\r\nhello\r\n0;d\r\n\r\nrest", "hello", http1.Sound, http1.Sound},
		{"trailers", "0\r\nA: b\r\nC: d\r\n\r\nrest", "", http1.Sound, http1.Sound},
		{"LF behind a size", "5\nhello\r\n0\r\n\r\nrest", "hello", http1.BadChunk, http1.Sound},
		{"LF behind content", "5\r\nhello\n0\r\n\r\nrest", "hello", http1.BadChunk, http1.Sound},
		{"LF at the end", "5\r\nhello\r\n0\r\n\nrest", "hello", http1.BareLF, http1.Sound},
		{"LF behind a trailer", "0\r\nA: b\n\r\nrest", "", http1.BareLF, http1.Sound},
		{"blank behind a size", "5 \r\nhello\r\n0\r\n\r\nrest", "hello", http1.BadChunk, http1.Sound},
		{"control in an extension", "5;\x01\r\nhello\r\n0\r\n\r\nrest", "hello", http1.BadChunk, http1.Sound},
		{"long extension", "5;" + long + "\r\nhello\r\n0\r\n\r\nrest", "hello", http1.BadChunk, http1.Sound},
		{"long trailers", "0\r\n" + strings.Repeat("A: "+long+"\r\n", 16) + "\r\nrest", "", http1.HeadSize, http1.Sound},
		{"folded trailer", "0\r\nA: b\r\n c\r\n\r\nrest", "", http1.Folded, http1.Sound},
		{"length in a trailer", "0\r\nContent-Length: 5\r\n\r\nrest", "", http1.BadTrailer, http1.Sound},
		{"underscore in a trailer", "0\r\nTransfer_Encoding: x\r\n\r\nrest", "", http1.BadTrailer, http1.Sound},
		{"no size", "\r\nhello", "", http1.BadChunk, http1.BadChunk},
		{"letter behind a size", "5x\r\nhello\r\n0\r\n\r\nrest", "hello", http1.BadChunk, http1.Sound},
		{"sign", "+5\r\nhello", "", http1.BadChunk, http1.BadChunk},
		{"size too long", "0000000000000005\r\nhello", "", http1.BadChunk, http1.BadChunk},
		{"content too long", "5\r\nhelloo\r\n0\r\n\r\n", "hello", http1.BadChunk, http1.BadChunk},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for m, want := range []http1.Fault{tt.strict, tt.loose} {
				for _, piece := range []int{1, 2, 3, 7, 1 << 20} {
					c := http1.Chunks{Mode: http1.Mode(m)}
					content, framing, rest, fault := unchunk(&c, tt.octets, piece)
					if fault != want {
						t.Fatalf("mode %d, pieces of %d: %v, want %v", m, piece, fault, want)
					}
					if fault != http1.Sound {
						continue
					}
					if content != tt.content || rest != "rest" || !c.Done() || len(content)+len(framing)+len(rest) != len(tt.octets) {
						t.Fatalf("mode %d, pieces of %d: %q, rest %q, done %v", m, piece, content, rest, c.Done())
					}
				}
			}
		})
	}
}

// TestChunksKeep holds what a strict reader keeps.
func TestChunksKeep(t *testing.T) {
	c := http1.Chunks{Padded: true}
	content, _, rest, fault := unchunk(&c, "5 ;a\r\nhello\r\n0 \t; use-original-body=7;b\r\nA: b\r\nC: d\r\n\r\n!", 1)
	if content != "hello" || rest != "!" || fault != http1.Sound {
		t.Errorf("%q, %q, %v", content, rest, fault)
	}
	if got := string(c.Trailers()); got != "A: b\r\nC: d\r\n" {
		t.Errorf("trailers %q", got)
	}
	if got := string(c.Extensions()); got != " use-original-body=7;b" {
		t.Errorf("extensions %q", got)
	}
}

func TestContent(t *testing.T) {
	for _, tt := range []struct {
		name    string
		f       http1.Framing
		octets  string
		content string
		rest    string
		over    bool
	}{
		{"none", http1.Framing{}, "rest", "", "rest", true},
		{"length", http1.Framing{Extent: http1.ByLength, Length: 5}, "hellorest", "hello", "rest", true},
		{"length, short", http1.Framing{Extent: http1.ByLength, Length: 5}, "hell", "hell", "", false},
		{"chunks", http1.Framing{Extent: http1.ByChunks}, "5\r\nhello\r\n0\r\n\r\nrest", "hello", "rest", true},
		{"to the close", http1.Framing{Extent: http1.ToClose}, "hellorest", "hellorest", "", false},
	} {
		for _, piece := range []int{1, 3, 100} {
			c := http1.NewContent(tt.f, http1.Loose, false)
			content, octets := "", tt.octets
			for len(octets) > 0 && !c.Done() {
				p := []byte(octets[:min(piece, len(octets))])
				n, is, fault := c.Next(p)
				if fault != http1.Sound {
					t.Fatal(fault)
				}
				if is {
					content += string(p[:n])
				}
				octets = octets[n:]
			}
			if content != tt.content || octets != tt.rest || c.Done() != tt.over {
				t.Errorf("%s, pieces of %d: %q, rest %q, over %v", tt.name, piece, content, octets, c.Done())
			}
		}
	}
}

// TestSkip: content goes on behind a gap as far as its end can be told.
func TestSkip(t *testing.T) {
	for _, tt := range []struct {
		name    string
		f       http1.Framing
		before  string
		lost    uint64
		content uint64
		ok      bool
		behind  string // content of what follows
	}{
		{"within a length", http1.Framing{Extent: http1.ByLength, Length: 5}, "h", 3, 3, true, "o"},
		{"up to a length", http1.Framing{Extent: http1.ByLength, Length: 5}, "h", 4, 4, true, ""},
		{"beyond a length", http1.Framing{Extent: http1.ByLength, Length: 5}, "h", 9, 4, true, ""},
		{"to the close", http1.Framing{Extent: http1.ToClose}, "h", 9, 9, true, "o"},
		{"none", http1.Framing{}, "", 9, 0, true, ""},
		{"within a chunk", http1.Framing{Extent: http1.ByChunks}, "5\r\nh", 3, 3, true, "o"},
		{"beyond a chunk", http1.Framing{Extent: http1.ByChunks}, "4\r\nh", 4, 3, false, ""},
		{"in the size of a chunk", http1.Framing{Extent: http1.ByChunks}, "4", 1, 0, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := http1.NewContent(tt.f, http1.Loose, false)
			for p := []byte(tt.before); len(p) > 0; {
				n, _, _ := c.Next(p)
				p = p[n:]
			}
			if content, ok := c.Skip(tt.lost); content != tt.content || ok != tt.ok {
				t.Fatalf("%d octets of content, %v", content, ok)
			}
			if !tt.ok || c.Done() {
				return
			}
			if n, content, fault := c.Next([]byte(tt.behind)); n != len(tt.behind) || !content || fault != http1.Sound {
				t.Errorf("%d octets behind the gap, content %v, %v", n, content, fault)
			}
		})
	}
}
