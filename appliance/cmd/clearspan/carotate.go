package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/certs"
)

func caRotate(f *caFlags) *cobra.Command {
	var in, overlap time.Duration
	var at, key string
	var now, cancel bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make a successor of the authority",
		Long: `Make a successor of the authority in STATE/authority. It signs from a given time
on; until then install it on clients: export and the publish page hold both. The
one before it stays recognised as our own and is kept in STATE/authority/old.`,
		Example: `  clearspan ca rotate                              # signs in 30 days
  clearspan ca rotate --at 2027-01-31T02:00:00Z
  clearspan ca rotate --now && clearspan reload`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := f.directory()
			if err != nil {
				return err
			}
			if cancel {
				return d.Cancel()
			}
			from := time.Now().Add(in)
			switch {
			case now:
				from = time.Now()
			case at != "":
				if from, err = time.Parse(time.RFC3339, at); err != nil {
					return badConfig(fmt.Errorf("--at: want a time such as 2027-01-31T02:00:00Z, not %q", at))
				}
			}
			if in < 0 || overlap < 0 {
				return badConfig(errors.New("--in and --overlap: want a duration from now on"))
			}
			next, err := d.Rotate(certs.CreateOptions{Key: certs.KeyType(key)}, from, overlap)
			if err != nil {
				return missing(err)
			}
			if now {
				if _, _, err := d.Open(time.Now(), nil); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "successor %s\n  signs from   %s, in an appliance that reads it: clearspan reload\n",
				next, from.Local().Format(time.RFC3339))
			return nil
		},
	}
	cmd.Flags().DurationVar(&in, "in", 30*24*time.Hour, "how long the present authority still signs")
	cmd.Flags().StringVar(&at, "at", "", "when the new one signs, a `TIME` such as 2027-01-31T02:00:00Z")
	cmd.Flags().BoolVar(&now, "now", false, "the new one signs at once")
	cmd.Flags().DurationVar(&overlap, "overlap", 30*24*time.Hour, "how long both are exported after that")
	cmd.Flags().StringVar(&key, "key", string(certs.ECDSAP256), "ecdsa-p256, ecdsa-p384 or rsa-4096")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "drop a successor that does not sign yet")
	cmd.MarkFlagsMutuallyExclusive("in", "at", "now", "cancel")
	return cmd
}
