# The hub, and `lintel` with all its commands, in an image: docs/guides/containers.md.

FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Without scripts: `prepare` would build, and the sources are not here yet, so that they may change without another install.
RUN npm ci --ignore-scripts
COPY tsconfig.base.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
# What the gRPC gateway needs, an optional package, comes along as the lock file has it.
RUN npm run build \
  && mv node_modules/@bufbuild/protobuf /protobuf \
  && npm ci --omit=dev --ignore-scripts \
  && mkdir -p node_modules/@bufbuild && mv /protobuf node_modules/@bufbuild/protobuf

FROM node:24-slim
ENV NODE_ENV=production
# Memory of large payloads goes back to the system when it is free.
ENV MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072
# As if it had been installed in /srv: what is mounted or copied there imports "lintel".
WORKDIR /srv/node_modules/lintel
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY package.json LICENSE ./
COPY container container
RUN ln -s /srv/node_modules/lintel/dist/cli/main.js /usr/local/bin/lintel
# It says to listen on every address of the container; lintel.yaml in the current directory is found by itself.
COPY container/lintel.yaml /srv/lintel.yaml
WORKDIR /srv
# The user "node" of the base image, by number: Kubernetes cannot tell of a name that it is not root.
USER 1000:1000
EXPOSE 8500 4500
HEALTHCHECK --interval=10s --timeout=5s CMD ["node", "/srv/node_modules/lintel/container/health.js"]
# No shell: the process is Node, which takes the signals itself.
ENTRYPOINT ["lintel"]
CMD ["serve"]
