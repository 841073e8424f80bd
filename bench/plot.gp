# SPDX-License-Identifier: BSD-3-Clause
# gnuplot -e 'dat="results.dat"; svg="results.svg"; npeers=4; reference="ovs"; regimes="near far"' plot.gp
set terminal svg size 900,340*words(regimes) dynamic background rgb "white" font "sans-serif,13"
set output svg
set style data histograms
set style histogram errorbars gap 1.5 linewidth 1
set style fill solid 0.85 border -1
set boxwidth 0.9
set yrange [0:*]
set grid ytics lc rgb "#dddddd"
set ylabel "frames per second, ".reference." = 1"
set key outside right top Left reverse samplen 1.5
set multiplot layout words(regimes),1
do for [i=1:words(regimes)] {
	set title word(regimes, i) eq "near" ? "CPUs that share a cache (more is better; bars: quartiles)" \
		: "CPUs that share no cache (more is better; bars: quartiles)"
	plot for [p=1:npeers] dat index i-1 using 3*p-1:3*p:3*p+1:xtic(1) title columnheader(3*p-1)
}
unset multiplot
