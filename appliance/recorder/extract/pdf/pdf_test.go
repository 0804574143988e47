//go:build !race

package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// read returns the pages of a document, and what is attached.
func read(t *testing.T, p []byte, passwords ...string) (pages []string, attached map[string]string, err error) {
	t.Helper()
	d, err := Open(bytes.NewReader(p), int64(len(p)), passwords)
	if err != nil {
		return nil, nil, err
	}
	defer d.Close()
	for i := range d.Pages() {
		text, err := d.Text(i)
		if err != nil {
			return pages, nil, err
		}
		pages = append(pages, text)
	}
	attached = make(map[string]string)
	err = d.Attachments(context.Background(), func(name string, octets []byte) bool { attached[name] = string(octets); return true })
	return pages, attached, err
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	p, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestChromium: what a browser printed is read, also where its font has glyphs only (Type 3).
func TestChromium(t *testing.T) {
	pages, _, err := read(t, file(t, "chromium.pdf"))
	if all := strings.Join(pages, "|"); err != nil || !strings.Contains(all, "社外秘") || !strings.Contains(all, "山田 太郎 090-1234-5678") {
		t.Errorf("%q, %v", all, err)
	}
}

// document makes a document with a page for each text, in a font that every reader has.
func document(texts ...string) []byte {
	var b bytes.Buffer
	var places []int
	object := func(text string) {
		places = append(places, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(places), text)
	}
	b.WriteString("%PDF-1.4\n")
	object("<</Type/Catalog/Pages 2 0 R>>")
	var kids strings.Builder
	for i := range texts {
		fmt.Fprintf(&kids, "%d 0 R ", 4+2*i)
	}
	object(fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", len(texts), kids.String()))
	object("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
	for i, text := range texts {
		object(fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents %d 0 R/Resources<</Font<</F 3 0 R>>>>>>", 5+2*i))
		stream := fmt.Sprintf("BT /F 12 Tf 50 700 Td (%s) Tj ET", text)
		object(fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(stream), stream))
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(places)+1)
	for _, at := range places {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(places)+1, start)
	return b.Bytes()
}

// TestPages: pages come in order, and documents do not disturb each other.
func TestPages(t *testing.T) {
	for range 3 {
		pages, attached, err := read(t, document("first page", "second page"))
		if err != nil || len(pages) != 2 || strings.TrimSpace(pages[0]) != "first page" || strings.TrimSpace(pages[1]) != "second page" || len(attached) > 0 {
			t.Errorf("%q, %v, %v", pages, attached, err)
		}
	}
}

// TestLocked: an encrypted document is told, and read with its password.
func TestLocked(t *testing.T) {
	p := file(t, "locked.pdf")
	if _, _, err := read(t, p); !errors.Is(err, ErrLocked) {
		t.Errorf("without a password: %v", err)
	}
	if _, _, err := read(t, p, "wrong"); !errors.Is(err, ErrLocked) {
		t.Errorf("with a wrong password: %v", err)
	}
	if pages, _, err := read(t, p, "wrong", "secret-7"); err != nil || !strings.Contains(strings.Join(pages, ""), "confidential") {
		t.Errorf("%q, %v", pages, err)
	}
}

// TestAttached: files in a document are handed out.
func TestAttached(t *testing.T) {
	if _, attached, err := read(t, file(t, "attached.pdf")); err != nil || attached["list.csv"] != "name,number\nyamada,1\n" {
		t.Errorf("%q, %v", attached, err)
	}
}

// TestBroken: a document that is cut anywhere, or changed, ends with an error at worst, and the
// next one is read.
func TestBroken(t *testing.T) {
	whole := document("text that is long enough to be cut")
	for i := 0; i < len(whole); i += 37 {
		read(t, whole[:i])
		p := bytes.Clone(whole)
		p[i] ^= 0x20
		read(t, p)
	}
	if pages, _, err := read(t, whole); err != nil || len(pages) != 1 {
		t.Errorf("%q, %v", pages, err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(document("text"))
	f.Fuzz(func(t *testing.T, p []byte) { read(t, p) })
}
