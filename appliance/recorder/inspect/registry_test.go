package inspect

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/tempo"
)

// TestSipHash: the vectors of the paper (Appendix A), and of the reference program.
func TestSipHash(t *testing.T) {
	var key [16]byte
	var in []byte
	for i := range 16 {
		key[i] = byte(i)
	}
	for i, want := range []uint64{0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462} {
		if got := sipKeyOf(key).sum(in); got != want {
			t.Errorf("%d octets: %016x, want %016x", i, got, want)
		}
		in = append(in, byte(i))
	}
	for len(in) < 15 {
		in = append(in, byte(len(in)))
	}
	if got := sipKeyOf(key).sum(in); got != 0xa129ca6149be45e5 {
		t.Errorf("%016x", got)
	}
}

// TestCells: each cell that is registered is found wherever it stands, and no other. A
// thorough run has as many as there is room for.
func TestCells(t *testing.T) {
	g := NewRegistry([]byte("salt"))
	n := tempo.Of(20_000, maxCells)
	for i := range n {
		if err := g.AddCell("customers", fmt.Sprintf("C%08d", i*7)); err != nil {
			t.Fatal(err)
		}
	}
	x, err := New(Options{Registered: []*Registry{g}})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		i := r.IntN(n)
		in := fmt.Sprintf("C%08d", i*7)
		for _, form := range []string{"%s", "a,%s,b\n", "the number (%s) is\n", "お客様番号は%sです", "x %s.\n", "\"%s\";"} {
			got := x.Text([]byte(fmt.Sprintf(form, in)))
			if len(got) != 1 || got[0].Detector != "customers" || strings.Contains(got[0].Sample, in[5:]) {
				t.Fatalf("%q: %+v", fmt.Sprintf(form, in), got)
			}
		}
		if got := x.Text([]byte(fmt.Sprintf("a,C%08d,b C%08d1", i*7+3, i*7))); len(got) != 0 {
			t.Fatalf("%+v", got)
		}
	}
	if size := 10 * len(g.cells.keys); size > 24*max(n, 100) {
		t.Errorf("%d octets for %d cells", size, n)
	}
}

// TestPassages: any passage of 200 characters of a document is found, whatever white space is
// in it, and a text with the same words is not.
func TestPassages(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	words := strings.Fields("the turbine blade is cast from alloy seven 合金 を 九百度 で 鋳造 する and rests two hours before it is ground each lot has a number")
	prose := func(n int) string {
		var b strings.Builder
		for b.Len() < n {
			b.WriteString(words[r.IntN(len(words))] + " ")
		}
		return b.String()
	}
	g := NewRegistry([]byte("salt"))
	var documents [][]rune
	for i := range 20 {
		text := prose(20_000)
		documents = append(documents, []rune(strings.ReplaceAll(text, " ", "")))
		if err := g.AddDocument("plans", fmt.Sprint("plan ", i), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	x, err := New(Options{Registered: []*Registry{g}})
	if err != nil {
		t.Fatal(err)
	}
	for range tempo.Of(300, 5000) {
		d := documents[r.IntN(len(documents))]
		at := r.IntN(len(d) - 200)
		var b strings.Builder
		b.WriteString(prose(r.IntN(300)))
		for _, c := range d[at : at+200] {
			b.WriteRune(c)
			if r.IntN(5) == 0 {
				b.WriteString([]string{" ", "\n", "\r\n\t"}[r.IntN(3)])
			}
		}
		b.WriteString(prose(r.IntN(300)))
		if got := x.Text([]byte(b.String())); len(got) != 1 || got[0].Detector != "plans" || got[0].Count != 1 {
			t.Fatalf("%+v in %q", got, b.String())
		}
	}
	for range 100 {
		if got := x.Text([]byte(prose(3000))); len(got) != 0 {
			t.Fatalf("%+v", got)
		}
	}
}

func BenchmarkRegistry(b *testing.B) {
	g := NewRegistry([]byte("salt"))
	for i := range 1_000_000 {
		g.AddCell("customers", fmt.Sprintf("C%08d", i*7))
	}
	g.AddDocument("plans", "plan", []byte(strings.Repeat("The quick brown fox jumps over it. ", 1000)))
	x, err := New(Options{Registered: []*Registry{g}})
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(strings.Repeat("The quick brown fox, 42 of them, jumped over the lazy dog on 2026-11-01 at 10:32:11 for C00000013.\n", 10000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		x.Text(text)
	}
}

// FuzzRegistry: a value that is registered is found in a text around it, whatever both are.
func FuzzRegistry(f *testing.F) {
	f.Add("ACME-98765", "a,", "\n")
	f.Add("株式会社 暁", "x;", "|")
	f.Fuzz(func(t *testing.T, value, before, behind string) {
		g := NewRegistry([]byte("salt"))
		if err := g.AddCell("cells", value); err != nil {
			t.Fatal(err)
		}
		if err := g.AddDocument("documents", "title", []byte(value+before+behind)); err != nil {
			t.Fatal(err)
		}
		x, err := New(Options{Registered: []*Registry{g}})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, y := range x.Text([]byte(before + "\n" + value + "\n" + behind)) {
			found = found || y.Detector == "cells"
		}
		if want := g.cells.n > 0 && !strings.ContainsAny(string(fold(nil, []byte(value))), delimiters+"\r\n"); want && !found {
			t.Errorf("%q is not found", value)
		}
	})
}

// TestSaved: a registry that was saved finds the same, under another name. One that is
// damaged anywhere is refused.
func TestSaved(t *testing.T) {
	g := NewRegistry([]byte("salt"))
	text := strings.Repeat("The turbine blade is cast from alloy seven and rests for two hours; ", 9)
	for i := range 300 {
		if err := g.AddCell("a", fmt.Sprintf("C%08d", i*7)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.AddDocument("b", "plan of the blade", []byte(text)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := g.Save(&b); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b.Bytes(), []byte("c00000007")) || bytes.Contains(b.Bytes(), []byte("turbine")) {
		t.Error("values are in the file")
	}
	again, err := Load("name", bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	x, err := New(Options{Registered: []*Registry{again}})
	if err != nil {
		t.Fatal(err)
	}
	if got := x.Text([]byte("a,C00000007\nC00000014\nC00000015\n" + text)); len(got) != 1 || got[0].Detector != "name" || got[0].Count != 3 {
		t.Errorf("%+v", got)
	}
	for i := 0; i < b.Len(); i += 1 + i/50 {
		bad := bytes.Clone(b.Bytes())
		bad[i] ^= 1
		if _, err := Load("name", bytes.NewReader(bad)); err == nil {
			t.Fatalf("octet %d is another one, and nobody sees it", i)
		}
		if _, err := Load("name", bytes.NewReader(b.Bytes()[:i])); err == nil {
			t.Fatalf("%d octets are taken", i)
		}
	}
}

// FuzzSaved: no file makes the reader fail.
func FuzzSaved(f *testing.F) {
	g := NewRegistry([]byte("salt"))
	g.AddCell("a", "value")
	var b bytes.Buffer
	g.Save(&b)
	f.Add(b.Bytes())
	f.Add([]byte(SavedMagic + "\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, p []byte) {
		if g, err := Load("name", bytes.NewReader(p)); err == nil {
			g.find(&reading{text: p, tallies: make(map[string]*tally), x: shared})
		}
	})
}
