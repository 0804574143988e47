package recorder_test

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
)

// mute returns what a monitor sees that gets the frames of the server only.
func mute(frames []rowstest.Frame) (out []rowstest.Frame) {
	const source, length = 26, 4 // of IPv4 behind Ethernet
	client := string(frames[0].Octets[source:][:length])
	for _, f := range frames {
		if string(f.Octets[source:][:length]) != client {
			out = append(out, f)
		}
	}
	return out
}

// TestServerOnly: where nothing of the client is captured, what it receives by HTTP/1 and IMAP
// is found. Other protocols need the client's word.
func TestServerOnly(t *testing.T) {
	for _, row := range rowstest.Rows() {
		if !strings.HasPrefix(row.Name, "http ") && !strings.HasPrefix(row.Name, "imap ") {
			continue
		}
		t.Run(row.Name, func(t *testing.T) {
			r := read(t, mute(rowstest.Render{}.Frames(&row)))
			for _, f := range row.Files {
				if !f.Received || f.Holes > 0 {
					continue
				}
				found := false
				for _, x := range r.Sightings {
					found = found || x.Hash.String() == f.SHA256()
				}
				if !found {
					t.Errorf("%q is missing", f.Name)
				}
			}
		})
	}
}
