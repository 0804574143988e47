package recorder_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/hack/tempo"
)

var update = flag.Bool("update", false, "write the golden files again")

// goldenFile has what is found in each row.
const goldenFile = "testdata/rows.golden"

// importedFile returns the facts that import prints of a capture. extractor is the process that
// reads text, which takes a while to start; nil: this one.
func importedFile(t testing.TB, file string, extractor []string) []string {
	t.Helper()
	var b bytes.Buffer
	if _, err := recorder.Import(t.Context(), []string{file}, recorder.ImportOptions{Output: recorder.NewJSONLines(&b), Extractor: extractor}); err != nil {
		t.Fatal(err)
	}
	return factsOf(t, b.Bytes())
}

func factsOf(t testing.TB, lines []byte) []string {
	t.Helper()
	list, err := rowstest.Facts(lines)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// captured writes frames to a file, and returns its name.
func captured(t testing.TB, frames []rowstest.Frame) string {
	t.Helper()
	var b bytes.Buffer
	file := filepath.Join(t.TempDir(), "frames.pcap")
	if err := rowstest.Write(&b, frames); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// golden is what the file says.
var golden = sync.OnceValues(func() (rowstest.Golden, error) { return rowstest.ReadGolden(goldenFile) })

// goldenOf returns the facts of rows.
func goldenOf(t testing.TB, rows []rowstest.Row) []string {
	t.Helper()
	g, err := golden()
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.Of(rows)
	if err != nil {
		t.Fatalf("%v: run the tests with -update", err)
	}
	return list
}

// TestGolden: each row gives the events, objects and findings that it has always given.
func TestGolden(t *testing.T) {
	rows := rowstest.Rows()
	if *update {
		g := make(rowstest.Golden)
		for _, row := range rows {
			g[row.Name] = importedFile(t, captured(t, rowstest.Render{}.Frames(&row)), nil)
		}
		if err := g.Write(goldenFile); err != nil {
			t.Fatal(err)
		}
	}
	const some = 20 // one of so many by a process of its own
	for i, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			var extractor []string
			if i%some == 0 || tempo.Thorough() {
				extractor = recorder.TestExtractor
			}
			got := importedFile(t, captured(t, rowstest.Render{}.Frames(&row)), extractor)
			if d := rowstest.Differences(got, goldenOf(t, []rowstest.Row{row})); d != "" {
				t.Error(d)
			}
		})
	}
	g, err := golden()
	if err != nil || len(g) != len(rows) {
		t.Errorf("%s has %d rows, want %d: %v", goldenFile, len(g), len(rows), err)
	}
}
