import { createApp, ref } from 'vue';
import { client, useCurfew } from './use-curfew.ts';

createApp({
  setup() {
    const { session, why, login } = useCurfew();
    const email = ref('');
    const password = ref('');
    const message = ref('');
    async function submit(): Promise<void> {
      try {
        await login(email.value, password.value);
        password.value = '';
        message.value = '';
      } catch (error) {
        message.value = (error as Error).message;
      }
    }
    return { client, session, why, email, password, message, submit };
  },
}).mount('#app');
