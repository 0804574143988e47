package extract

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// locked returns archives that 7-Zip and Info-ZIP have made with the password Secret-2026.
func locked(t testing.TB) map[string][]byte {
	files, err := filepath.Glob("testdata/locked-*.zip")
	if err != nil || len(files) != 6 {
		t.Fatalf("%d archives: %v", len(files), err)
	}
	archives := make(map[string][]byte)
	for _, file := range files {
		p, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		archives[filepath.Base(file)] = p
	}
	return archives
}

// TestPasswords: the right one of several passwords opens an archive, of any encryption. With
// none, or wrong ones, its names are told as before, and nothing that is no text of it.
func TestPasswords(t *testing.T) {
	const text = "氏名,個人番号\n山田太郎,123456789018\n"
	var many []string
	for i := range 400 {
		many = append(many, fmt.Sprint("wrong", i))
	}
	for name, p := range locked(t) {
		t.Run(name, func(t *testing.T) {
			member := "list.csv"
			if name == "locked-stream.zip" {
				member = "-"
			}
			wrong := many
			if strings.Contains(name, "aes") {
				wrong = many[:20]
			}
			x := run(t, p, Hint{Passwords: append(wrong[:len(wrong):len(wrong)], "Secret-2026")}, Limits{})
			if got, want := strings.Join(x.lines, "\n"), fmt.Sprintf("%s: note encrypted-container %s\n%s: %q", member, member, member, text); !strings.Contains(got, want) {
				t.Errorf("%s\nwant %s", got, want)
			}
			if x.members[member] != len(text) {
				t.Errorf("%d octets", x.members[member])
			}
			for _, passwords := range [][]string{nil, {""}, wrong} {
				x := run(t, p, Hint{Passwords: passwords}, Limits{})
				if len(x.members) != 0 || !strings.Contains(x.lines[0], "note encrypted-container") || strings.Contains(strings.Join(x.lines, "\n"), ": \"") {
					t.Errorf("%d passwords: %q", len(passwords), x.lines)
				}
			}
			for i := 0; i < len(p); i += 3 { // no octet that is another one makes it fail
				bad := bytes.Clone(p)
				bad[i] ^= 0x41
				run(t, bad, Hint{Passwords: []string{"Secret-2026"}}, Limits{Unpacked: 1 << 20})
			}
		})
	}
	inner := zipped("deep.zip", string(locked(t)["locked-zipcrypto.zip"]))
	if got := strings.Join(run(t, inner, Hint{Passwords: []string{"Secret-2026"}}, Limits{}).lines, "\n"); !strings.Contains(got, fmt.Sprintf("deep.zip, list.csv: %q", text)) {
		t.Error(got)
	}
}

// TestTries: an archive with many members does not have every password tried on each.
func TestTries(t *testing.T) {
	x := &extraction{ctx: t.Context(), tries: maxTries, h: &told{members: make(map[string]int)}, left: Limits{Members: 9, Unpacked: 1 << 20, Text: 1 << 20, Depth: 5}}
	p := locked(t)["locked-aes256.zip"]
	if err := x.file(io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), Hint{Passwords: []string{"Secret-2026"}}, "", 0); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(x.h.(*told).lines, "\n"); strings.Contains(got, "氏名") || !strings.Contains(got, "note bounded") {
		t.Error(got)
	}
}
