// SPDX-License-Identifier: Apache-2.0

// clone is a clone of a branch by Flux's git client with the Secret of a
// GitRepository, as source-controller makes one; it prints the commit.
//
//	clone URL BRANCH IDENTITY KNOWN_HOSTS
package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/fluxcd/pkg/git"
	"github.com/fluxcd/pkg/git/gogit"
	"github.com/fluxcd/pkg/git/repository"
)

// GitRepository's default spec.timeout
const patience = 60 * time.Second

func clone(address, branch, identity, knownHosts string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	data := map[string][]byte{}
	for key, path := range map[string]string{"identity": identity,
		"known_hosts": knownHosts} {
		if data[key], err = os.ReadFile(path); err != nil {
			return "", err
		}
	}
	auth, err := git.NewAuthOptions(*u, data)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "headwater-clone-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	client, err := gogit.NewClient(dir, auth, gogit.WithDiskStorage())
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	commit, err := client.Clone(ctx, address, repository.CloneConfig{
		ShallowClone:     true,
		CheckoutStrategy: repository.CheckoutStrategy{Branch: branch}})
	if err != nil {
		return "", err
	}
	return commit.Hash.String(), nil
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: clone URL BRANCH IDENTITY KNOWN_HOSTS")
		os.Exit(2)
	}
	hash, err := clone(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(hash)
}
