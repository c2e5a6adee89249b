# glocalk on the CPU: the environment of `make setup`, run by a user without privileges.
#
#   docker build --tag glocalk .
#   docker run --rm glocalk train model=bias data=synthetic
#   docker run --rm --volume "$PWD/data:/data" --volume "$PWD/runs:/home/glocalk/runs" glocalk train model=glocal_k data=ml_100k
#
# Mounted folders must be writable by user 1000, or by the one of `docker run --user`. The image holds no ratings:
# what is missing in /data is downloaded and verified. Records made in it name no commit, because it has no checkout.

FROM python:3.11-slim-bookworm AS setup
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The version of make does not reach the image.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/glocalk
COPY Makefile pyproject.toml constraints.txt build-constraints.txt README.md LICENSE ./
COPY conf conf
COPY src src
RUN make setup TORCH_INDEX="$TORCH_INDEX"

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 1000 glocalk \
    && install --directory --owner=glocalk --group=glocalk /data /home/glocalk/runs
# The same path as above: the virtual environment names it.
COPY --from=setup /opt/glocalk /opt/glocalk
ENV PATH=/opt/glocalk/.venv/bin:$PATH GLOCALK_DATA_DIR=/data
USER 1000
WORKDIR /home/glocalk
ENTRYPOINT ["glocalk"]
CMD ["--help"]
