package bench

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
)

// TestRecorderCounts: a row counts if all its files are found, each under its name.
func TestRecorderCounts(t *testing.T) {
	row := rowstest.Row{Name: "two", Files: []rowstest.File{{Name: "a.txt", Octets: []byte("a")}, {Octets: []byte("b")}, {Name: "c", Within: true}}}
	a, b := row.Files[0].SHA256(), row.Files[1].SHA256()
	for name, tt := range map[string]struct {
		found        []foundFile
		right, named int
	}{
		"none":       {nil, 0, 0},
		"one":        {[]foundFile{{"a.txt", a}}, 0, 0},
		"both":       {[]foundFile{{"/dir/a.txt", a}, {"x", b}}, 1, 1},
		"other name": {[]foundFile{{"b.txt", a}, {"x", b}}, 1, 0},
	} {
		r := &recorder{Right: map[string]int{}, Named: map[string]int{}}
		r.count("k", &row, tt.found)
		if r.Right["k"] != tt.right || r.Named["k"] != tt.named || (tt.named == 0) != (len(r.Wrong) == 1) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestRecordersAreRead: what programs say about files is read.
func TestRecordersAreRead(t *testing.T) {
	if f := clearspanFile([]byte(`{"object":"ab","name":"見積.txt"}`)); f != (foundFile{"見積.txt", "ab"}) {
		t.Error(f)
	}
	if f := suricataFile([]byte(`{"fileinfo":{"filename":"/a/b.txt","sha256":"cd"}}`)); f != (foundFile{"/a/b.txt", "cd"}) {
		t.Error(f)
	}
	for _, r := range recorders("clearspan") {
		if !strings.Contains(r.arguments, "@FILE@") {
			t.Errorf("%s reads no capture", r.Name)
		}
	}
}
