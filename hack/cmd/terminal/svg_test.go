package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// texts returns the content of all text elements; the picture must be XML.
func texts(t *testing.T, picture []byte) (list []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(picture)))
	inside := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		switch v := token.(type) {
		case xml.StartElement:
			if v.Name.Local == "text" {
				inside = true
				list = append(list, "")
			}
		case xml.EndElement:
			inside = inside && v.Name.Local != "text"
		case xml.CharData:
			if inside {
				list[len(list)-1] += string(v)
			}
		}
	}
}

func TestDraw(t *testing.T) {
	picture := draw("make demo", []string{"Sent <to> clearspan & back:", `  curl   "x"`, "", "  same     octets", ""})
	got := texts(t, picture)
	want := []string{"$ make demo", "Sent <to> clearspan & back:", `  curl   "x"`, "  same     octets"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("drawn:\n%q, want\n%q", got, want)
	}
	for _, part := range []string{`class="h"`, `viewBox="0 0 604 124"`} {
		if !strings.Contains(string(picture), part) {
			t.Errorf("%s is missing in\n%s", part, picture)
		}
	}
}

// TestRecord: a picture is written of a command that succeeds, up to the line to
// stop at, and of no other.
func TestRecord(t *testing.T) {
	out := filepath.Join(t.TempDir(), "a.svg")
	if err := record(out, "a", "Compared", []string{"sh", "-c", "echo one; echo Compared; echo two"}); err != nil {
		t.Fatal(err)
	}
	picture, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if got := texts(t, picture); len(got) != 2 || got[1] != "one" {
		t.Errorf("drawn: %q", got)
	}
	other := filepath.Join(t.TempDir(), "b.svg")
	if err := record(other, "b", "", []string{"sh", "-c", "echo one; exit 3"}); err == nil {
		t.Error("no error of a command that fails")
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("a picture of a command that fails")
	}
}
