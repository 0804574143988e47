package recorder_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// letter is a mail message that is sent so many minutes after the first one.
type letter struct {
	minute   int
	from, to string
	text     string
	archive  string // a file; "": none
}

// frames returns the packets of a message.
func (l letter) frames(t *testing.T, n int) (list []rowstest.Frame) {
	t.Helper()
	m := "From: " + l.from + "\r\nTo: " + l.to + "\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + l.text + "\r\n"
	if l.archive != "" {
		p, err := os.ReadFile(l.archive)
		if err != nil {
			t.Fatal(err)
		}
		m += "--b\r\nContent-Type: application/zip\r\nContent-Disposition: attachment; filename=list.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(p) + "\r\n"
	}
	step := func(from proto.Direction, text string) rowstest.Step {
		return rowstest.Step{From: from, Octets: []byte(text)}
	}
	const up, down = proto.ClientToOrigin, proto.OriginToClient
	row := rowstest.Row{Name: fmt.Sprint("letter ", n), Talks: []rowstest.Talk{{Server: 25, Client: uint16(30000 + n), Steps: []rowstest.Step{
		step(down, "220 mx ESMTP\r\n"), step(up, "EHLO c\r\n"), step(down, "250 mx\r\n"),
		step(up, "MAIL FROM:<"+l.from+">\r\n"), step(down, "250 ok\r\n"), step(up, "RCPT TO:<"+l.to+">\r\n"), step(down, "250 ok\r\n"),
		step(up, "DATA\r\n"), step(down, "354 go\r\n"), step(up, m+"--b--\r\n.\r\n"), step(down, "250 queued\r\n"), step(up, "QUIT\r\n"), step(down, "221 bye\r\n"),
	}}}}
	for _, f := range (rowstest.Render{}).Frames(&row) {
		f.At = f.At.Add(time.Duration(l.minute) * time.Minute)
		list = append(list, f)
	}
	return list
}

// gathered keeps rows.
type gathered struct{ trail.Batch }

func (g *gathered) Write(_ context.Context, b *trail.Batch) error {
	g.Events = append(g.Events, b.Events...)
	g.Findings = append(g.Findings, b.Findings...)
	g.Sightings = append(g.Sightings, b.Sightings...)
	return nil
}

// TestPasswords: what mail messages between the same people say opens an archive, whichever
// comes first, and nothing else does.
func TestPasswords(t *testing.T) {
	t.Parallel()
	const taro, bob, eve = "taro@example.co.jp", "bob@example.test", "eve@example.test"
	const says = "先ほどの資料のパスワードは「Secret-2026」です。"
	aes, zipped := "extract/testdata/locked-aes256.zip", "extract/testdata/locked-zipcrypto.zip"
	for name, tt := range map[string]struct {
		letters []letter
		off     bool
		found   bool
	}{
		"archive first":            {letters: []letter{{0, taro, bob, "資料です", aes}, {5, taro, bob, says, ""}}, found: true},
		"traditional encryption":   {letters: []letter{{0, taro, bob, "資料です", zipped}, {5, taro, bob, "Password: Secret-2026", ""}}, found: true},
		"full-width":               {letters: []letter{{0, taro, bob, "資料です", zipped}, {5, taro, bob, "パスワード：Ｓｅｃｒｅｔ－２０２６", ""}}, found: true},
		"password first":           {letters: []letter{{0, taro, bob, says, ""}, {50, taro, bob, "資料です", aes}}, found: true},
		"the other one has said":   {letters: []letter{{0, bob, taro, "use Secret-2026, please", ""}, {9, taro, bob, "資料です", aes}}, found: true},
		"in the same message":      {letters: []letter{{0, taro, bob, says, zipped}}, found: true},
		"somebody else":            {letters: []letter{{0, taro, bob, "資料です", zipped}, {5, taro, eve, says, ""}, {6, eve, bob, says, ""}}},
		"too late":                 {letters: []letter{{0, taro, bob, "資料です", zipped}, {62, taro, bob, says, ""}}},
		"wrong":                    {letters: []letter{{0, taro, bob, "資料です", zipped}, {5, taro, bob, "secret-2026", ""}}},
		"passwords are not wanted": {letters: []letter{{0, taro, bob, "資料です", zipped}, {5, taro, bob, says, ""}}, off: true},
	} {
		var b bytes.Buffer
		var frames []rowstest.Frame
		for i, l := range tt.letters {
			frames = append(frames, l.frames(t, i)...)
		}
		if err := rowstest.Write(&b, frames); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "letters.pcap")
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		var got gathered
		if _, err := recorder.Import(t.Context(), []string{file}, recorder.ImportOptions{Output: &got, Passwords: !tt.off}); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(got.Findings, func(f trail.Finding) bool { return f.Detector == "encrypted-container" }) {
			t.Errorf("%s: the archive is not told", name)
		}
		i := slices.IndexFunc(got.Findings, func(f trail.Finding) bool { return f.Detector == "my-number" })
		if i >= 0 != tt.found {
			t.Errorf("%s: %+v", name, got.Findings)
		}
		if i < 0 {
			continue
		}
		f := got.Findings[i]
		if !strings.HasSuffix(f.Place, "list.csv, line 2, column 2") || !slices.ContainsFunc(got.Events, func(e trail.Event) bool { return e.ID == f.Event }) {
			t.Errorf("%s: %+v", name, f)
		}
		if !slices.ContainsFunc(got.Sightings, func(s trail.Sighting) bool { return s.Name == "list.csv" && s.Event == f.Event && s.Parent == f.Hash }) {
			t.Errorf("%s: the file in it is not told: %+v", name, got.Sightings)
		}
	}
}
