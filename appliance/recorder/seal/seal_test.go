package seal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func chain(t *testing.T) (dir string, text []byte) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "seal")
	for range 2 { // it goes on when it is opened again
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := c.Append(Link{Kind: Volume, Name: "v", SHA256: "ab", Size: 5}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, chainName))
	if err != nil {
		t.Fatal(err)
	}
	return dir, text
}

func verify(t *testing.T, dir string) Result {
	t.Helper()
	key, err := PublicKey(OwnKey(dir))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Verify(dir, key, func(Link) {})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestChain: a chain that nobody touched is good, and any change of it is told.
func TestChain(t *testing.T) {
	dir, text := chain(t)
	if r := verify(t, dir); len(r.Faults) > 0 || r.Links != 8 || r.Signed != 8 {
		t.Fatalf("%+v", r)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	without := func(i int) []byte { return bytes.Join(append(append([][]byte{}, lines[:i]...), lines[i+1:]...), nil) }
	swapped := append([][]byte{lines[1], lines[0]}, lines[2:]...)
	for name, changed := range map[string][]byte{
		"a line is gone":      without(1),
		"the first is gone":   without(0),
		"lines are swapped":   bytes.Join(swapped, nil),
		"a value is changed":  bytes.Replace(text, []byte(`"sha256":"ab"`), []byte(`"sha256":"ac"`), 1),
		"a line is doubled":   append(append([]byte{}, lines[0]...), text...),
		"the end is torn":     text[:len(text)-5],
		"a line is none":      append(append([]byte{}, text...), "x\n"...),
		"a signature is cut":  bytes.Replace(text, []byte(`"signature":"`), []byte(`"signature":"A`), 1),
		"everything is other": bytes.ReplaceAll(text, []byte("Z"), []byte("+01:00")),
	} {
		if err := os.WriteFile(filepath.Join(dir, chainName), changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if r := verify(t, dir); len(r.Faults) == 0 {
			t.Errorf("%s, and nothing is told: %+v", name, r)
		}
	}
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		os.WriteFile(filepath.Join(dir, chainName), changed, 0o600)
		if r := verify(t, dir); len(r.Faults) == 0 {
			t.Fatalf("octet %d is another, and nothing is told: %s\n%s", i, text[max(i-40, 0):i+1], changed)
		}
	}
}

// TestTorn: a line that a crash has torn is cut off, and the chain goes on.
func TestTorn(t *testing.T) {
	dir, text := chain(t)
	os.WriteFile(filepath.Join(dir, chainName), append(text, `{"seq":9,"ki`...), 0o600)
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if seq, _ := c.Head(); seq != 8 {
		t.Errorf("link %d", seq)
	}
	c.Append(Link{Kind: Rows, Name: "2026-11-02", From: 1, To: 5})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir); len(r.Faults) > 0 || r.Links != 10 {
		t.Errorf("%+v", r)
	}
}

// TestKeys: the private key is for nobody else, and another key fits no signature.
func TestKeys(t *testing.T) {
	dir, _ := chain(t)
	other, _ := chain(t)
	if i, err := os.Stat(filepath.Join(dir, keyName)); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i.Mode(), err)
	}
	key, err := PublicKey(OwnKey(other))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Verify(dir, key, func(Link) {})
	if err != nil || len(r.Faults) != 2 || !strings.Contains(r.Faults[0], "signature") || r.Signed != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
