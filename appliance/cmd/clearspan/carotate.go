package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/certs"
)

func caRotate(f *caFlags) *cobra.Command {
	var in, overlap time.Duration
	var at, key string
	var now, cancel, verbose bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make a successor of the authority",
		Long: `Make a successor of the authority in STATE/authority. The successor signs from a
given time on, by default in 30 days. Install it on the clients until then: export
and the page of authority.publish have both certificates.

The present authority is kept in STATE/authority/old. clearspan still knows it as its
own: it blocks an origin with a certificate that this authority has signed.`,
		Example: `  clearspan ca rotate                              # signs in 30 days
  clearspan ca rotate --at 2027-01-31T02:00:00Z
  clearspan ca rotate --now && clearspan reload
  clearspan ca rotate --cancel`,
		Args: cobra.MatchAll(takes(), excludes("in", "at", "now", "cancel"), excludes("at", "now", "cancel"), excludes("now", "cancel"),
			excludes("cancel", "key", "overlap")),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := f.directory()
			if err != nil {
				return err
			}
			if cancel {
				if err := missing(d.Path, d.Cancel()); err != nil {
					return err
				}
				return told(cmd, verbose, "the successor is dropped: the present authority goes on")
			}
			from, err := signsFrom(time.Now(), in, at, now)
			if err == nil && overlap < 0 {
				err = fmt.Errorf("--overlap: %v is negative", overlap)
			}
			if err == nil && !slices.Contains(keyTypes, certs.KeyType(key)) {
				err = fmt.Errorf("--key: unknown type %q, the types are ecdsa-p256, ecdsa-p384 and rsa-4096", key)
			}
			if err != nil {
				return badConfig(err)
			}
			next, err := d.Rotate(certs.CreateOptions{CommonName: successorName(d), Key: certs.KeyType(key)}, from, overlap)
			if err != nil {
				if errors.Is(err, certs.ErrRotating) {
					err = fmt.Errorf("%w (--cancel drops its successor)", err)
				}
				return missing(d.Path, err)
			}
			if now {
				if _, _, err := d.Open(time.Now(), nil); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "successor %s\n  signs from   %s, once the appliance has read it: clearspan reload\n",
				next, from.Local().Format(time.RFC3339))
			return nil
		},
	}
	cmd.Flags().DurationVar(&in, "in", 30*24*time.Hour, "how long the present authority still signs")
	cmd.Flags().StringVar(&at, "at", "", "`TIME` from which the successor signs, such as 2027-01-31T02:00:00Z")
	cmd.Flags().BoolVar(&now, "now", false, "the successor signs at once")
	cmd.Flags().DurationVar(&overlap, "overlap", 30*24*time.Hour, "how long both are exported after that")
	cmd.Flags().StringVar(&key, "key", string(certs.ECDSAP256), "`TYPE` of the key: ecdsa-p256, ecdsa-p384 or rsa-4096")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "drop the successor that does not sign yet")
	verboseFlag(cmd, &verbose)
	cmd.MarkFlagsMutuallyExclusive("in", "at", "now", "cancel")
	return cmd
}

// successorName returns the common name of a successor: one with today's date for an
// authority that clearspan has made, "" for others, which hand theirs on.
func successorName(d certs.Directory) string {
	l, err := d.List(time.Now())
	if err != nil || !strings.HasPrefix(l.Signing.Subject.CommonName, authority.TrustedName) {
		return ""
	}
	return authority.Name(authority.TrustedName, time.Now())
}

var keyTypes = []certs.KeyType{certs.ECDSAP256, certs.ECDSAP384, certs.RSA4096}

// signsFrom returns the time that the flags name.
func signsFrom(now time.Time, in time.Duration, at string, atOnce bool) (time.Time, error) {
	switch {
	case atOnce:
		return now, nil
	case in < 0:
		return time.Time{}, fmt.Errorf("--in: %v is negative", in)
	case at == "":
		return now.Add(in), nil
	}
	from, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return from, fmt.Errorf("--at: %q is no time such as 2027-01-31T02:00:00Z", at)
	}
	if from.Before(now) {
		return from, fmt.Errorf("--at: %s has passed; --now has the successor sign at once", at)
	}
	return from, nil
}
