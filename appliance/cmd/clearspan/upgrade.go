package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/keeper"
)

// upgradeLimit bounds an upgrade: a check of the program, and a start.
const upgradeLimit = 5 * time.Minute

func upgradeCommand() *cobra.Command {
	var at box
	var binary string
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Have the running appliance go on with another program file",
		Long: `Have the running appliance go on with another program file, and wait until that serves.
No connection is refused. Open sessions go on in the old process, for as long as drain
says. The appliance keeps its process number.

First the new program checks the running configuration. If it cannot start, does not answer
within 30 s, or is older than the running one, nothing changes. If its process does not
become ready, the old program goes on.

Exit status: 0 done, 1 the old program goes on, 2 no appliance runs or it cannot be asked.`,
		Example: `  clearspan upgrade -c /etc/clearspan/clearspan.yaml
  clearspan upgrade -c /etc/clearspan/clearspan.yaml --binary /opt/clearspan/clearspan`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := programPath(binary)
			if err != nil {
				return badConfig(fmt.Errorf("--binary: %w", err))
			}
			reply, err := at.order(keeper.Order{Do: "upgrade", Binary: path})
			if err != nil {
				return err
			}
			if err := reply.Result.Err(); err != nil {
				return badConfig(fmt.Errorf("the old program goes on: %w", err))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s runs; process %d serves new sessions, those that are open go on\n", path, reply.Result.Worker)
			return nil
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&binary, "binary", "", "the new program `FILE`; default: the file of this command")
	return cmd
}

// programPath returns the absolute path of a program, by default of the one that runs.
func programPath(binary string) (string, error) {
	if binary == "" {
		return os.Executable()
	}
	if _, err := os.Stat(binary); err != nil {
		return "", err
	}
	return filepath.Abs(binary)
}

// order gives an order to the keeper of the running box.
func (b *box) order(o keeper.Order) (*keeper.Reply, error) {
	states, err := b.states()
	if err != nil {
		return nil, err
	}
	for _, state := range states {
		reply, err := keeper.Send(state, o, upgradeLimit)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			continue
		}
		return reply, err
	}
	return nil, fmt.Errorf("no appliance runs with state directory %s", states[0])
}
