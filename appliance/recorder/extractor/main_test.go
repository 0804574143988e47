package extractor

import (
	"fmt"
	"os"
	"testing"
)

// asExtractor has the program of the tests be the extractor.
const asExtractor = "-extractor"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == asExtractor {
		if err := Main(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
