// The pinned S3 client works on Node 20; that its later versions will not is no news for whoever starts the platform.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
