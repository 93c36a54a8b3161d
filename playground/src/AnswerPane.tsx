// Owns what stands with the answer of the open tab: the events of its subscription, or notes above the answer.
import { useGraphiQL } from '@graphiql/react';
import { AnswerNotes } from './AnswerNotes';
import { useNotes } from './answers';
import { StreamList } from './StreamList';
import { useStream } from './streams';

export function AnswerPane() {
  const tabId = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.id);
  const stream = useStream(tabId);
  const notes = useNotes(tabId);
  if (stream) return <StreamList key={stream.tabId} stream={stream} />;
  return notes ? <AnswerNotes key={tabId} notes={notes} /> : null;
}
