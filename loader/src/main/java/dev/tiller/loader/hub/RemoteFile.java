package dev.tiller.loader.hub;

import java.net.URI;

/**
 * What the hub says about a file of a commit.
 *
 * @param name path in the repository
 * @param uri where it is asked for, at the endpoint
 * @param etag its checksum and its name among the blobs: see {@link Checksum}
 * @param size bytes, -1 if the hub does not say
 */
record RemoteFile(String name, URI uri, String etag, long size) {}
