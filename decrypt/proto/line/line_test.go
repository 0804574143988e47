package line

import (
	"bufio"
	"strings"
	"testing"
)

// pieces feeds text in pieces of size octets and returns the lines.
func pieces(t *testing.T, b *Buffer, text string, size int) (lines []string) {
	for rest := []byte(text); len(rest) > 0; {
		p := rest[:min(size, len(rest))]
		rest = rest[len(p):]
		for len(p) > 0 {
			line, n, whole := b.Next(p)
			if n <= 0 || n > len(p) || !whole && (n != len(p) || !b.Partial()) || whole && b.Partial() {
				t.Fatalf("%d of %d octets, whole %v, partial %v", n, len(p), whole, b.Partial())
			}
			if whole {
				lines = append(lines, string(line))
			}
			p = p[n:]
		}
	}
	return lines
}

// A long line keeps its beginning and its end.
func TestLong(t *testing.T) {
	const head, tail = 400, 64
	long := strings.Repeat("a", head) + strings.Repeat("m", 5000) + strings.Repeat("z", tail-1) + "\n"
	for _, size := range []int{1, 3, tail - 1, tail, tail + 1, 300, head, 1000, len(long) + 2} {
		for _, most := range []int{0, tail} {
			b := &Buffer{Head: head, Tail: most}
			got := pieces(t, b, long+"b\n", size)
			if want := long[:head] + long[len(long)-most:]; len(got) != 2 || got[0] != want || got[1] != "b\n" {
				t.Errorf("pieces of %d, tail of %d: %q", size, most, got)
			}
			if cap(b.kept) > 2*(head+tail) {
				t.Errorf("room for %d octets", cap(b.kept))
			}
		}
	}
}

func TestTrim(t *testing.T) {
	for text, want := range map[string]string{"a\r\n": "a", "a\n": "a", "a\r\r\n": "a\r", "a": "a", "a\r": "a\r", "\n": "", "": ""} {
		if got := string(Trim([]byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	b := &Buffer{Head: 100}
	if n := testing.AllocsPerRun(100, func() {
		b.Next([]byte("whole\r\n"))
		b.Next([]byte("in "))
		b.Next([]byte("pieces\r\n"))
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzNext: pieces make no difference, and short lines are what bufio reads.
func FuzzNext(f *testing.F) {
	f.Add("a\r\nb\n\n\rc\r\n", uint8(1), uint8(200), uint8(0))
	f.Add("0123456789\n0123456789", uint8(3), uint8(4), uint8(2))
	f.Add("\n\n", uint8(1), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, text string, size, head, tail uint8) {
		got := pieces(t, &Buffer{Head: int(head), Tail: int(tail)}, text, 1+int(size))
		r := bufio.NewReader(strings.NewReader(text))
		for i := 0; ; i++ {
			want, err := r.ReadString('\n')
			if err != nil {
				if i != len(got) {
					t.Fatalf("%d lines, want %d", len(got), i)
				}
				return
			}
			if most := int(head) + int(tail); len(want) > most {
				want = want[:head] + want[len(want)-int(tail):]
			}
			if got[i] != want {
				t.Fatalf("line %d is %q, want %q", i, got[i], want)
			}
		}
	})
}
