package mail

import (
	"encoding/base64"
	"io"
	"mime/multipart"
	"strings"
	"testing"
)

// TestParts: one of the forms of a part is what its sender has encoded.
func TestParts(t *testing.T) {
	const evil = "some evil! content = of octets"
	for name, tt := range map[string]struct {
		text  string
		forms int
	}{
		"base64":          {base64.StdEncoding.EncodeToString([]byte(evil)) + "\r\n", 1},
		"odd base64":      {"!" + base64.StdEncoding.EncodeToString([]byte(evil)) + "\r\n", 2},
		"as it is":        {evil, 3},
		"quoted":          {"some e=76il! content =3D of octets\r\n", 3},
		"parts":           {"text\r\n--=_x y\r\nContent-Type: text/plain\r\n\r\n" + evil + "\r\n--=_x y--\r\n", 5},
		"many boundaries": {strings.Repeat("--a\r\n", 10) + "--b\r\n--c\r\n--d\r\n--e\r\n--f\r\n--g\r\n--h\r\n--i\r\n--j\r\n-- \r\n--\"\r\n", 10},
	} {
		c := &content{most: 1 << 20, memory: 1 << 20}
		c.Write([]byte(tt.text))
		_, body, n := asParts(c)
		text, err := io.ReadAll(body)
		if err != nil || int64(len(text)) != n {
			t.Errorf("%s: %d octets, want %d; %v", name, len(text), n, err)
		}
		_, rest, _ := strings.Cut(string(text), "boundary=")
		boundary, rest, _ := strings.Cut(rest, "\r\n")
		r := multipart.NewReader(strings.NewReader(rest), boundary)
		forms, found := 0, false
		for {
			p, err := r.NextRawPart()
			if err != nil {
				break
			}
			forms++
			octets, _ := io.ReadAll(p)
			if p.Header.Get("Content-Transfer-Encoding") == "base64" {
				octets, _ = base64.StdEncoding.DecodeString(strings.Trim(string(octets), "!\r\n"))
			}
			found = found || strings.Contains(string(octets), evil)
		}
		if forms != tt.forms || !found && name != "quoted" && name != "many boundaries" {
			t.Errorf("%s: %d forms, want %d\n%s", name, forms, tt.forms, text)
		}
	}
}
