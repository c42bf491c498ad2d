// Package configfile finds and reads the configuration of the server that a command is about.
//
// It is the file that --config names, that SIGNET_CONFIG names, or ./signet.yaml. A file that was only found in the
// working directory must belong to root or to the caller, and none may be writable by others: the configuration
// determines where commands send passwords. What the settings mean is in package config.
package configfile
