import { jsonCodec } from '@tutti/protocol/json';
import { protobufCodec } from '@tutti/protocol/protobuf';
import { codecConformance } from './codec.ts';

codecConformance('json', jsonCodec);
codecConformance('protobuf', protobufCodec);
