package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var plainNodes = cmp.AllowUnexported(node{}, pair{}, place{})

// TestPieces: a file that is read in pieces is the same as one that is read at once.
func TestPieces(t *testing.T) {
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var many strings.Builder
	many.WriteString("state: s\npolicy:\n  default: bump\n  rules: # many\n")
	for i := range 300 {
		fmt.Fprintf(&many, "    - {name: r%d, host: [a%d.test],\n       action: tunnel}\n\n    # between\n    - name: b%d\n      time: |\n        - 22:00\n        # no comment\n", i, i, i)
	}
	for _, tt := range []struct {
		name, text string
		apart      bool
	}{
		{"full", string(full), true},
		{"many", many.String(), true},
		{"more behind", many.String() + "  mirror: all\nadmin: {listen: \"off\"}\n", true},
		{"items as deep as their key", "policy:\n  rules:\n  - {name: a}\n  - name: b\n    host:\n    - x\n  default: bump\n", true},
		{"line ends of others", "policy:\r\n  rules:\r\n    - {name: a}\r\n    - {name: b}\r\n", true},
		{"no line end", "policy:\n  rules:\n    - {name: a}\n    - {name: b}", true},
		{"no rules", "policy:\n  default: bump\n", false},
		{"flow style", "policy: {rules: [{name: a}]}\n", false},
		{"rules of another", "other:\n  rules:\n    - {name: a}\n", false},
		{"rules of something in policy", "policy:\n  other:\n    rules:\n      - {name: a}\n", false},
		{"twice", "policy:\n  rules:\n    - {name: a}\n  rules:\n    - {name: b}\n", false},
		{"tabs", "policy:\n  rules:\n\t- {name: a}\n", false},
		{"a dash alone", "policy:\n  rules:\n  - {name: a}\n  -\n  default: bump\n", false},
		{"a fault", "policy:\n  rules:\n    - {name: a\n    - {name: b}\n", false},
		{"an anchor", "policy:\n  rules:\n    - &x {name: a}\n    - *x\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 100, 1 << 20} {
				got, ok := parsePieces([]byte(tt.text), size)
				if ok != tt.apart {
					t.Fatalf("taken apart: %t", ok)
				}
				if !ok {
					continue
				}
				want, _, err := parseWhole([]byte(tt.text))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got, plainNodes); diff != "" {
					t.Fatalf("pieces of %d octets (-whole +pieces):\n%s", size, diff)
				}
			}
		})
	}
}

// What is read in pieces reads the same at once. Places are left out: the library
// miscounts lines behind some texts of several lines.
func FuzzPieces(f *testing.F) {
	f.Add([]byte("policy:\n  rules:\n  - {name: a}\n  - name: b\n    host:\n    - x\n  default: bump\n"), 1)
	f.Add([]byte("policy: # p\n  rules: # r\n    - 'a\n      - b'\n    # c\n    - |\n      - x\nadmin: x\n"), 20)
	f.Add([]byte("policy:\r\n rules:\r\n - \"a\r\n   b\"\r\n -\r\n   - c\r\n"), 5)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if _, ok := validText(data); !ok || len(data) > 1<<12 {
			return
		}
		got, ok := parsePieces(data, max(1, min(size, 1<<12)))
		if !ok {
			return
		}
		want, at, err := parseWhole(data)
		if err != nil {
			t.Skipf("%v: %v", at, err)
		}
		if diff := cmp.Diff(want, got, plainNodes, cmp.Comparer(func(place, place) bool { return true })); diff != "" {
			t.Errorf("(-whole +pieces):\n%s", diff)
		}
	})
}
