/** The channel on which the embedded topic notifies: all topics of a database share it; the payload says which topic, or which group of it. */
export const channel = 'visionscale_topic';
