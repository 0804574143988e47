package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/clearspan/clearspan/certs"
)

// prompt asks for a passphrase on the terminal; nil if there is none.
func prompt(text string) certs.Passphrase {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return nil
	}
	return func() (string, error) {
		fmt.Fprint(os.Stderr, text)
		line, err := term.ReadPassword(fd)
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return "", fmt.Errorf("read passphrase: %w", err)
		}
		if len(line) == 0 {
			return "", errors.New("read passphrase: it is empty")
		}
		return string(line), nil
	}
}

// promptTwice asks for a new passphrase.
func promptTwice() certs.Passphrase {
	first, second := prompt("New passphrase: "), prompt("Once more: ")
	known := ""
	return func() (string, error) {
		if first == nil {
			return "", errors.New("no passphrase: name a file by --passphrase-file, or start on a terminal")
		}
		if known != "" {
			return known, nil
		}
		a, err := first()
		if err != nil {
			return "", err
		}
		b, err := second()
		if err != nil {
			return "", err
		}
		if a != b {
			return "", errors.New("the two passphrases differ")
		}
		known = a
		return a, nil
	}
}
