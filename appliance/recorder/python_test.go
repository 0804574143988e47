package recorder_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/hack/lab"
)

// TestAgainstPython: files in mails are those that Python's email package put in.
func TestAgainstPython(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), lab.Python, "testdata/mails.py").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var mail struct {
			What    string
			Message []byte
			Files   []struct {
				Name   string
				Octets []byte
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &mail); err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint(mail.What, " ", n), func(t *testing.T) {
			var files []rowstest.File
			for _, f := range mail.Files {
				files = append(files, rowstest.File{Name: f.Name, Octets: f.Octets})
			}
			row := rowstest.Mail("python", mail.Message, files...)
			read(t, rowstest.Render{}.Frames(&row)).has(t, files)
			if t.Failed() {
				t.Logf("%.3000s", mail.Message)
			}
		})
	}
	if n < 50 {
		t.Errorf("%d mails", n)
	}
}
