package extract

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

// TestXZ: a block that asks for much memory is not read. 76 octets ask for 2 GiB here.
func TestXZ(t *testing.T) {
	bomb, err := hex.DecodeString("fd377a585a000004e6d6b4460200210126000000d5d7ce5301001174656c203039302d313233342d353637380a00000094c099b2ac56d9bd00012a124b0854bc1fb6f37d010000000004595a")
	if err != nil {
		t.Fatal(err)
	}
	if size, err := dictionary(bytes.NewReader(bomb), int64(len(bomb))); err != nil || size != 2<<30 {
		t.Errorf("%d, %v", size, err)
	}
	if got := strings.Join(run(t, bomb, Hint{}, Limits{}).lines, "\n"); got != ": note bounded " {
		t.Error(got)
	}
	// Several streams, the last of which is a bomb.
	var b bytes.Buffer
	w, err := xz.WriterConfig{BlockSize: 1000}.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(bytes.Repeat([]byte("text of several blocks\n"), 500))
	w.Close()
	good := b.Bytes()
	if size, err := dictionary(bytes.NewReader(good), int64(len(good))); err != nil || size == 0 || size > maxXZ {
		t.Errorf("%d, %v", size, err)
	}
	for _, all := range [][]byte{append(append([]byte{}, good...), bomb...), append(append(append([]byte{}, bomb...), 0, 0, 0, 0), good...)} {
		if size, err := dictionary(bytes.NewReader(all), int64(len(all))); err != nil || size != 2<<30 {
			t.Errorf("%d, %v", size, err)
		}
	}
	for i := range good { // whatever is cut off, nothing is read that is not known
		run(t, good[:i], Hint{}, Limits{})
	}
}

// TestUnread: a part that lies too deep is told.
func TestUnread(t *testing.T) {
	deep := "From: a\r\nTo: b\r\nSubject: c\r\n\r\ntext"
	for range 4 {
		deep = "From: a\r\nTo: b\r\nSubject: c\r\nContent-Disposition: attachment; filename=x.gz\r\n\r\n" + string(packed(t, gz, []byte(deep)))
	}
	if got := strings.Join(run(t, []byte(deep), Hint{}, Limits{Depth: 2}).lines, "\n"); !strings.Contains(got, "note bounded") {
		t.Error(got)
	}
}
