package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/seal"
)

func recorderVerifyCommand() *cobra.Command {
	var key, where, identity, authority string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Tell whether anything was changed, taken away or added behind the recorder's back",
		Long: `Compare the directory of a recorder with its chain of evidence: each volume of packets,
each event with all that belongs to it, each object. What was changed, is missing or was
added is named. Frames that could not be stored, and what went by retention,
are in the chain and are counted.

The chain is signed every hour and at the end. --key has the public key that was put
away when the recorder began: DIR/seal/public.pem at that time. Without it, the key
beside the chain is taken. Whoever can write there could have changed both.

Files that are encrypted are compared as they are. With --identity, what is in them is
compared, too. Time stamps of an authority are verified with its certificate: --tsa.

Exit status: 0 nothing was changed, 1 something was, 2 it could not be verified.`,
		Example: `  clearspan recorder verify /var/lib/clearspan/recorder --key recorder-public.pem`,
		Args:    takes("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			var public ed25519.PublicKey
			if key != "" {
				var err error
				if public, err = seal.PublicKey(key); err != nil {
					return err
				}
			}
			return withArchive(args[0], where, func(a *recorder.Archive) error {
				if err := a.Unlock(identity); err != nil {
					return badConfig(err)
				}
				if err := a.TrustStamps(authority); err != nil {
					return badConfig(err)
				}
				return verify(ctx, cmd, a, args[0], public, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the public key, a PEM `FILE`")
	cmd.Flags().StringVar(&where, "trail", "", trailUsage)
	cmd.Flags().StringVar(&authority, "tsa", "", "take time stamps only of the authorities in the PEM `FILE`")
	cmd.Flags().StringVarP(&identity, "identity", "i", "", identityUsage)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

func verify(ctx context.Context, cmd *cobra.Command, a *recorder.Archive, dir string, key ed25519.PublicKey, asJSON bool) error {
	p := importProgress(cmd.ErrOrStderr())
	v, err := a.Verify(ctx, dir, key, func(what string) {
		if now := time.Now(); p.terminal && now.Sub(p.last) >= time.Second/4 {
			p.last = now
			fmt.Fprintf(p.w, "\r\x1b[K%s", visible(what))
		}
	})
	p.clear()
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(v)
	} else {
		err = showVerified(cmd.OutOrStdout(), v)
	}
	if err == nil && len(v.Faults) > 0 {
		err = &exitError{exitConfig, errors.New("the recorder's directory is not as the recorder left it")}
	}
	return err
}

func showVerified(w io.Writer, v *recorder.Verified) error {
	for _, f := range v.Faults {
		fmt.Fprintf(w, "FAULT    %s\n", visible(f))
	}
	signed := "nothing is signed"
	if v.Signed > 0 {
		signed = fmt.Sprintf("%d of them signed, the last signature at %s", v.Signed, v.SignedAt.Local().Format(time.DateTime))
	}
	fmt.Fprintf(w, "chain    %d links, %s\n", v.Links, signed)
	fmt.Fprintf(w, "head     %s\n", v.Head)
	if v.Stamps > 0 {
		fmt.Fprintf(w, "stamps   %d time stamps; %d links were there at %s\n", v.Stamps, v.Stamped, v.Stamp.Local().Format(time.DateTime))
	}
	fmt.Fprintf(w, "good     %d volumes, %d events; %d objects were read\n", v.Volumes, v.Events, v.Objects)
	if v.Locked > 0 {
		fmt.Fprintf(w, "locked   %d objects are encrypted: only their files were compared\n", v.Locked)
	}
	if v.Removed+v.Days+v.Gone > 0 {
		fmt.Fprintf(w, "removed  %d volumes, %d days, %d objects, by retention\n", v.Removed, v.Days, v.Gone)
	}
	if v.Cases > 0 {
		fmt.Fprintf(w, "cases    %d\n", v.Cases)
	}
	if v.Dropped > 0 {
		fmt.Fprintf(w, "dropped  %d frames could not be stored\n", v.Dropped)
	}
	if v.Unsealed > 0 {
		fmt.Fprintf(w, "open     %d events are newer than the last seal\n", v.Unsealed)
	}
	if v.OwnKey {
		fmt.Fprintln(w, "note     the key lay beside the chain: --key has one that was kept elsewhere")
	}
	if v.Stamps > 0 && v.AnyStamp {
		fmt.Fprintln(w, "note     anybody can have made the time stamps: --tsa has the certificate of the authority")
	}
	if len(v.Faults) == 0 {
		_, err := fmt.Fprintln(w, "OK       nothing was changed")
		return err
	}
	_, err := fmt.Fprintf(w, "CHANGED  %d faults\n", len(v.Faults))
	return err
}
