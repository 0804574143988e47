package checksum

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// plain is the checksum as RFC 1071, Section 4.1 writes it down.
func plain(p []byte) uint16 {
	var sum uint32
	for i := 0; i < len(p); i += 2 {
		word := uint32(p[i]) << 8
		if i+1 < len(p) {
			word |= uint32(p[i+1])
		}
		sum += word
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func TestSum(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want uint16
	}{
		{"empty", nil, 0},
		{"one octet is a high half", []byte{0xab}, 0xab00},
		{"RFC 1071 Section 3", []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}, 0xddf2},
		{"all ones stay all ones", bytes.Repeat([]byte{0xff}, 1460), 0xffff},
		{"zeros stay zero", make([]byte, 1460), 0},
		{"carry out of the last word", append(bytes.Repeat([]byte{0xff}, 64), 0, 1), 0x0001},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Sum(tt.in); got != tt.want {
				t.Errorf("Sum = %#04x, want %#04x", got, tt.want)
			}
		})
	}
}

func TestSumOfEveryLength(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, 400)
	for i := range p {
		p[i] = byte(random.Uint32()) | 0xc0 // many carries
	}
	for n := range p {
		for _, from := range []int{0, 1, 7} {
			if from > n {
				continue
			}
			if got, want := Sum(p[from:n]), plain(p[from:n]); got != want {
				t.Fatalf("Sum of octets %d to %d = %#04x, want %#04x", from, n, got, want)
			}
		}
	}
}

func FuzzSum(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff})
	f.Add(bytes.Repeat([]byte{0xff}, 129))
	f.Fuzz(func(t *testing.T, p []byte) {
		if got, want := Sum(p), plain(p); got != want {
			t.Fatalf("Sum = %#04x, want %#04x", got, want)
		}
	})
}

func BenchmarkSum1460(b *testing.B) {
	p := bytes.Repeat([]byte("clear"), 292)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		Sum(p)
	}
}
