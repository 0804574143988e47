package recorder_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
)

// BenchmarkImport reads a capture of uploads, and keeps all.
func BenchmarkImport(b *testing.B) {
	file := filepath.Join(b.TempDir(), "large.pcap")
	f, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	n, err := rowstest.Bulk(f, 256<<20)
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(n)
	for b.Loop() {
		if _, err := recorder.Import(b.Context(), []string{file}, recorder.ImportOptions{Output: new(rows), Directory: b.TempDir()}); err != nil {
			b.Fatal(err)
		}
	}
}
