package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/deploy/man"
)

func deployManCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages",
		Long: `Write the manual pages of all commands and of the configuration file into DIR/man1 and
DIR/man5. Packages of clearspan have them already.

If SOURCE_DATE_EPOCH is set, the pages have its date, else that of today.`,
		Example: `  clearspan deploy man /usr/local/share/man
  man clearspan.yaml`,
		Args: takes("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s := man.Source{Version: version, Date: sourceDate(os.Getenv("SOURCE_DATE_EPOCH"))}
			pages := append(man.Commands(cmd.Root(), s), man.Configuration(s))
			for _, p := range pages {
				file := filepath.Join(args[0], fmt.Sprintf("man%d", p.Section), p.File())
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					return fmt.Errorf("write %s: %w", file, err)
				}
				if err := os.WriteFile(file, []byte(p.Text), 0o644); err != nil {
					return fmt.Errorf("write %s: %w", file, err)
				}
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "written: %s below %s\n", count(len(pages), "page"), args[0])
			return err
		},
	}
}

// sourceDate is the date of what is built (SOURCE_DATE_EPOCH, seconds since 1970).
func sourceDate(epoch string) time.Time {
	if seconds, err := strconv.ParseInt(epoch, 10, 64); err == nil {
		return time.Unix(seconds, 0)
	}
	return time.Now()
}
