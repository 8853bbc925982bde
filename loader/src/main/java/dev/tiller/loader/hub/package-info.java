/**
 * Models of the Hugging Face hub or a mirror of it: downloading ({@link dev.tiller.loader.hub.Pull}) and finding what
 * was downloaded, by us or by the Python tools ({@link dev.tiller.loader.hub.HubCache}). Only a pull ever uses the
 * network.
 */
package dev.tiller.loader.hub;
