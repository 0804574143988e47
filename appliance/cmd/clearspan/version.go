package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and revision are set by the linker: the release, and the commit.
var (
	version  = "unknown"
	revision = ""
)

// build is what version --json prints.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // commit
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Tags     string `json:"tags,omitempty"` // of the build, such as pkcs11
}

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Print the version of this program. A build without a version prints "unknown".

With --json: the version, the commit, the release of Go, and for which machines the
program is.`,
		Example: `  clearspan version
  clearspan version --json`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !asJSON {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "clearspan", version)
				return err
			}
			b := build{Version: version, Revision: revision, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "-tags" {
						b.Tags = s.Value
					}
				}
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(b)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
