#!/bin/sh
# Prints a Package.swift with the dependencies of this package and no targets of its own. What is built from it needs building again only when the
# dependencies change; the commands that build them are the same as from the real file, so that nothing of them is built twice.
#   dependencies.sh Package.swift
set -eu
products=$(sed -nE 's/^let ([A-Za-z0-9]+) = Target\.Dependency\.product.*/\1/p' "$1" | paste -sd , -)
sed -nE '1p; /^import PackageDescription/p; /^let [A-Za-z0-9]+ = Target\.Dependency\.product/p' "$1"
echo 'let package = Package(name: "wallet-backend", dependencies: ['
grep -E '^ *\.package\(' "$1"
echo "], targets: [.executableTarget(name: \"dependencies\", dependencies: [$products], path: \"dependencies\")])"
