package recorder

import (
	"fmt"
	"os"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder/extractor"
)

// TestExtractor is a command that reads text: this program.
var TestExtractor = []string{"/proc/self/exe", "-extractor"}

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == TestExtractor[1] {
		if err := extractor.Main(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
