package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/rules"
	"github.com/clearspan/clearspan/certs"
)

// warnings returns what a good configuration says that its operator may not have meant,
// and what is so of the files that it names.
func warnings(cfg *config.Config) []config.Warning {
	list := cfg.Warnings()
	if more, err := rules.Warnings(cfg); err == nil { // the check has read the lists
		list = append(list, more...)
	}
	for i, file := range cfg.Origin.Roots {
		_, skipped, _ := certs.LoadRoots([]string{file})
		for _, err := range skipped {
			list = append(list, config.Warning{Message: err.Error(), Keys: []string{"origin", "roots", strconv.Itoa(i)}})
		}
	}
	return append(list, keyWarnings(cfg)...)
}

// keyWarnings tells of private keys that lie open. Files that the user who checks cannot
// read are passed over.
func keyWarnings(cfg *config.Config) (list []config.Warning) {
	trusted, _ := authority.Files(cfg)
	if !certs.IsTokenURI(trusted.Key) {
		list = append(list, open(trusted.Key, "authority", "key")...)
		if encrypted, err := certs.Encrypted(trusted.Key); err == nil && !encrypted {
			list = append(list, config.Warning{
				Message: "the authority's key " + trusted.Key + " is in clear: who gets the file can sign for every site (clearspan ca encrypt)",
				Keys:    []string{"authority", "key"},
			})
		}
	}
	for i, in := range cfg.Intakes {
		for j, pair := range in.Certificates {
			list = append(list, open(pair.Key, "intake", strconv.Itoa(i), "certificates", strconv.Itoa(j), "key")...)
		}
	}
	return list
}

// open warns of a file that other users can read or write.
func open(file string, keys ...string) []config.Warning {
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return []config.Warning{{Message: strings.Join([]string{"other users can read or write the key", file + ":", "chmod 600"}, " "), Keys: keys}}
}
