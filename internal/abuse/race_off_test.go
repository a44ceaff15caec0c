//go:build !race && !windows

package abuse_test

// defaultMaxRSS is that of -max-rss.
const defaultMaxRSS = 400
