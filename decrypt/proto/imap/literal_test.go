package imap

import "testing"

func TestLiteral(t *testing.T) {
	tests := []struct {
		name, line string
		size       uint64
		plus, ok   bool
	}{
		{"plain", "a LOGIN {12}\r\n", 12, false, true},
		{"plus", "a LOGIN {12+}\r\n", 12, true, true},
		{"binary", "a APPEND x ~{3}\r\n", 3, false, true},
		{"bare line feed", "a {0}\n", 0, false, true},
		{"quoted", "a LOGIN \"{12}\"\r\n", 0, false, false},
		{"blank behind", "a {12} \r\n", 0, false, false},
		{"no digits", "a {}\r\n", 0, false, false},
		{"sign", "a {-1}\r\n", 0, false, false},
		{"two plus", "a {1++}\r\n", 0, false, false},
		{"over 63 bits", "a {9223372036854775808}\r\n", 0, false, false},
		{"not opened", "12}\r\n", 0, false, false},
		{"empty", "\r\n", 0, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, ok := ParseLiteral([]byte(tt.line))
			if l.Size != tt.size || l.Plus != tt.plus || ok != tt.ok || ok && l.Binary != (tt.name == "binary") {
				t.Errorf("got %+v, %v", l, ok)
			}
		})
	}
}
