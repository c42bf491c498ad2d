//go:build !linux

package worker

func reserveHugePages(uint64) {}
